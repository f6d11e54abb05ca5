import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRawSafetensors } from '@ao/test-data'
import type { RawTensor } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { MODEL, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const STORY = ['--prompt', 'Once', '--max-tokens', '1']

/** stories-4m with some tensors and fields of config.json in place of its own. */
function foreign(config: object, tensors: Readonly<Record<string, RawTensor>> = {}): string {
  const folder = join(temporaryFolder(), 'model')
  mkdirSync(folder)
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
    cpSync(join(MODEL, name), join(folder, name))
  }
  const own = JSON.parse(readFileSync(join(MODEL, 'config.json'), 'utf8'))
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...own, ...config }))
  const { tensors: all } = readRawSafetensors(join(MODEL, 'model.safetensors'))
  writeRaw(
    join(folder, 'model.safetensors'),
    [...all, ...Object.entries(tensors)].filter(
      ([name], i, list) => list.findLastIndex(([other]) => other === name) === i,
    ),
  )
  return folder
}

const Q = 'model.layers.0.self_attn.q_proj'
const raw = (dtype: string, rows: number, columns: number, size: number): RawTensor => ({
  dtype,
  shape: [rows, columns],
  bytes: new Uint8Array(rows * columns * size),
})

const FOREIGN: readonly (readonly [string, object, Readonly<Record<string, RawTensor>>])[] = [
  [
    'gptq (quantization_config in config.json)',
    { quantization_config: { quant_method: 'gptq', bits: 4 } },
    {},
  ],
  ['MLX (quantization in config.json)', { quantization: { group_size: 64, bits: 4 } }, {}],
  [
    `MLX (${Q}.scales of F16 [256, 4])`,
    {},
    { [`${Q}.weight`]: raw('U32', 256, 32, 4), [`${Q}.scales`]: raw('F16', 256, 4, 2) },
  ],
  [
    `fp8 (${Q}.weight_scale_inv of F32 [2, 2])`,
    {},
    {
      [`${Q}.weight`]: raw('F8_E4M3', 256, 256, 1),
      [`${Q}.weight_scale_inv`]: raw('F32', 2, 2, 4),
    },
  ],
  [
    'MLX (quantization in config.json), awq (quantization_config in config.json)',
    { quantization: { bits: 4 }, quantization_config: { quant_method: 'awq' } },
    {},
  ],
]

describe('a model that something else quantized', () => {
  it.each(FOREIGN)(
    '%s: refused where numbers count, told where it is listed',
    async (what, config, tensors) => {
      const model = foreign(config, tensors)
      const text = join(temporaryFolder(), 'text')
      writeFileSync(text, 'Once upon a time there was a dog.')
      const methods = what.split('), ').map((part) => part.replace(/\)?$/, ')'))
      for (const argv of [
        ['quantize', model, '--config', 'int8', '--dry-run'],
        ['generate', model, ...STORY],
        ['eval', model, '--text', text],
        ['compare', MODEL, model],
      ]) {
        const { code, stderr } = await ao(argv)
        for (const method of methods) expect(stderr).toContain(method)
        expect([argv[0], code]).toEqual([argv[0], 1])
      }
      const { notes } = await aoJson(['inspect', model])
      for (const method of methods) expect(notes.join()).toContain(method)
    },
  )

  it('by a file beside config.json', async () => {
    const model = foreign({})
    writeFileSync(join(model, 'hf_quant_config.json'), '{"quantization": {"quant_algo": "NVFP4"}}')
    const { code, stderr } = await ao(['quantize', model, '--config', 'int8', '--dry-run'])
    expect(stderr).toContain('hf_quant_config.json')
    expect(code).toBe(1)
  })
})

describe('--config with a model that torchao quantized', () => {
  it('is refused, for a folder and a file; without it the model runs', async () => {
    const out = join(temporaryFolder(), 'int4')
    await aoJson(['quantize', MODEL, '--config', 'int4', '--group-size', '32', '--out', out])
    const text = join(temporaryFolder(), 'text')
    writeFileSync(text, 'Once upon a time there was a dog.')
    for (const argv of [
      ['eval', out, '--text', text, '--config', 'int8'],
      ['generate', out, ...STORY, '--config', 'int8'],
    ]) {
      const { code, stderr } = await ao(argv)
      expect(stderr).toContain('Expected a model that is not quantized yet, for --config int8')
      expect(stderr).toContain('Leave --config out, or pass the model that it was made of.')
      expect(code).toBe(2)
    }
    const file = await ao([
      'quantize',
      join(out, 'model.safetensors'),
      '--config',
      'int8',
      '--dry-run',
    ])
    expect(file.stderr).toContain('of class Int4Tensor')
    expect(file.code).toBe(1)
    expect((await aoJson(['generate', out, ...STORY])).ids).toHaveLength(1)
    expect((await aoJson(['compare', MODEL, out])).totals.tensors).toBe(38)
  })
})
