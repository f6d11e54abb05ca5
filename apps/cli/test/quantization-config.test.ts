import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRawSafetensors } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { bfloat16, MODEL, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const EMBED = 'model.embed_tokens.weight'
const INT8 = {
  _type: 'IntxWeightOnlyConfig',
  _version: 2,
  _data: {
    weight_dtype: { _type: 'torch.dtype', _data: 'int8' },
    granularity: { _type: 'PerAxis', _version: 1, _data: { axis: 0 } },
  },
}
const config = { _type: 'FqnToConfig', _version: 1, _data: { fqn_to_config: { _default: INT8 } } }

/** A file with a `quantization_config` of these fields. */
function configFile(fields: object): string {
  const path = join(temporaryFolder(), 'config.json')
  const json = { quant_method: 'torchao', quant_type: { default: config }, ...fields }
  writeFileSync(path, JSON.stringify(json))
  return path
}

/** A model of two layers, whose output head has no weight. */
function tiedModel(modelConfig: string): string {
  const folder = join(temporaryFolder(), 'model')
  mkdirSync(folder)
  writeFileSync(join(folder, 'config.json'), modelConfig)
  writeRaw(
    join(folder, 'model.safetensors'),
    [EMBED, 'model.layers.0.up_proj.weight', 'model.layers.1.up_proj.weight'].map((name, seed) => [
      name,
      bfloat16([4, 8], (i) => 0x3f80 + i * (seed + 1)),
    ]),
  )
  return folder
}

const untie = { include_input_output_embeddings: true, untie_embedding_weights: true }

describe('ao quantize with a quantization_config', () => {
  it.each([
    ['{"tie_word_embeddings": true}', '{"tie_word_embeddings": false,'],
    ['{"hidden_size": 8}', '{\n  "tie_word_embeddings": false,"hidden_size": 8,'],
  ])('cuts the head of a model with %s from its embedding', async (modelConfig, begin) => {
    const model = tiedModel(modelConfig)
    const out = join(temporaryFolder(), 'out')
    const args = ['quantize', model, '--config', configFile(untie), '--out', out]
    const planned = await aoJson([...args, '--dry-run'])
    const { tensors } = await aoJson(args)
    expect(tensors).toEqual(planned.tensors)
    expect(tensors.at(-1)).toMatchObject({
      ...{ name: 'lm_head.weight', from: 'bfloat16', to: 'bfloat16', bytesAfter: 64 },
      reason: 'it was cut from the embedding that it was tied to, which is quantized',
    })
    const before = readRawSafetensors(join(model, 'model.safetensors')).tensors
    const after = readRawSafetensors(join(out, 'model.safetensors'))
    expect(after.tensors.get('lm_head.weight')).toEqual(before.get(EMBED))
    expect(after.tensors.has('model.embed_tokens._weight_qdata')).toBe(true)
    expect(JSON.parse(after.metadata['tensor_names'] as string)).toContain('lm_head.weight')
    const text = readFileSync(join(out, 'config.json'), 'utf8')
    expect(text.startsWith(begin)).toBe(true)
    expect(JSON.parse(text).quantization_config).toMatchObject(untie)
  })

  it('casts the head as it casts the rest', async () => {
    const out = join(temporaryFolder(), 'out')
    const model = tiedModel('{"tie_word_embeddings": true}')
    const cast = ['--dtype', 'float32', '--out', out]
    await aoJson(['quantize', model, '--config', configFile(untie), ...cast])
    const { tensors } = readRawSafetensors(join(out, 'model.safetensors'))
    expect(tensors.get('lm_head.weight')?.dtype).toBe('F32')
  })

  it('keeps what modules_to_not_convert names, and says so', async () => {
    const path = configFile({ modules_to_not_convert: ['model.layers.1'] })
    const model = tiedModel('{}')
    const { stdout } = await ao(['quantize', model, '--config', path, '--dry-run'])
    expect(stdout).toMatch(/^model\.embed_tokens\.weight .* name rule +it is an embedding$/m)
    expect(stdout).toMatch(/^model\.layers\.0\.up_proj\.weight .* IntxUnpackedToInt8Tensor /m)
    expect(stdout).toMatch(
      /^model\.layers\.1\.up_proj\.weight .* it is in modules_to_not_convert, as 'model\.layers\.1'$/m,
    )
    const { code, stderr } = await ao([
      'quantize',
      model,
      '--config',
      path,
      '--dry-run',
      '--lm-head',
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('Say it in modules_to_not_convert.')
  })

  it('quantizes a model in memory by the same fields', async () => {
    const story = ['--prompt', 'Once upon', '--max-tokens', '2']
    const args = ['generate', MODEL, '--config', configFile(untie), ...story]
    expect((await aoJson(args)).ids).toHaveLength(2)
  })
})
