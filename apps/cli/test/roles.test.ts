import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readRawSafetensors } from '@ao/test-data'
import type { RawTensor } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { bfloat16, MODEL, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const weight = (...shape: number[]): RawTensor => bfloat16(shape, (i) => 0x3f80 + (i % 50))

/** A model of these tensors in a folder of its own. */
function modelOf(config: object | undefined, tensors: Readonly<Record<string, RawTensor>>): string {
  const folder = join(temporaryFolder(), 'model')
  mkdirSync(folder)
  writeRaw(join(folder, 'model.safetensors'), Object.entries(tensors))
  if (config) writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  return folder
}

const MIXTURE = {
  'model.layers.0.mlp.experts.gate_up_proj': weight(4, 96, 64),
  'model.layers.0.mlp.experts.down_proj': weight(4, 64, 48),
  'model.layers.0.mlp.gate.weight': weight(4, 64),
  'model.layers.0.self_attn.q_proj.weight': weight(64, 64),
}

describe('ao quantize of a family', () => {
  it('quantizes stacked experts (E, out, in), and leaves the router', async () => {
    const out = join(temporaryFolder(), 'out')
    const model = modelOf({ model_type: 'qwen3_moe', hidden_size: 64 }, MIXTURE)
    const report = await aoJson(['quantize', model, '--config', 'int8', '--out', out])
    expect(report.quantized).toBe(3)
    expect(report.kept).toEqual([{ reason: 'it is a router', count: 1, bytes: 512 }])
    expect(report.bytesKept).toBe(512)
    const { tensors } = readRawSafetensors(join(out, 'model.safetensors'))
    expect(tensors.get('model.layers.0.mlp.experts._gate_up_proj_scale')?.shape).toEqual([4, 96, 1])
    expect(tensors.get('model.layers.0.mlp.experts._down_proj_qdata')?.shape).toEqual([4, 64, 48])
    const read = await aoJson(['compare', model, out])
    expect(Math.min(...read.tensors.map(({ sqnr }: any) => sqnr ?? Infinity))).toBeGreaterThan(30)
  })

  it.each([
    ['int4', ['--group-size', '32', '--format', 'plain']],
    ['int4', ['--group-size', '32', '--format', 'plain_int32']],
    ['int8-dynamic', []],
  ])('quantizes experts to %s %j', async (config, options) => {
    const out = join(temporaryFolder(), 'out')
    const experts = { 'a.experts.gate_up_proj': weight(2, 128, 64), 'a.up.weight': weight(64, 64) }
    const model = modelOf({ hidden_size: 64 }, experts)
    const report = await aoJson(['quantize', model, '--config', config, ...options, '--out', out])
    const plan = report.tensors.find(({ name }: any) => name === 'a.experts.gate_up_proj')
    expect(plan).toMatchObject({ role: 'experts', rule: 'shape rule', reason: null })
    const [row] = (await aoJson(['compare', model, out])).tensors
    expect(row.sqnr).toBeGreaterThan(15)
  })

  it('keeps experts (E, in, out) and says that most of the model stays', async () => {
    const model = modelOf(
      { model_type: 'gpt_oss', hidden_size: 64 },
      {
        ...MIXTURE,
        'model.layers.0.mlp.experts.gate_up_proj': weight(4, 64, 96),
        'model.layers.0.mlp.experts.down_proj': weight(4, 48, 64),
      },
    )
    const { stdout } = await ao(['quantize', model, '--config', 'int8', '--dry-run'])
    expect(stdout).toContain('2 tensors kept, 73.7 kB: it holds experts stored (E, in, out)')
    expect(stdout).toContain('most of the model stays as it is: 74.2 kB of 82.4 kB (90.1 %)')
    expect(stdout).toContain('decided by family gpt_oss (4)')
  })

  it('leaves weights stored (in, out), tables of positions and heads of other names', async () => {
    const gpt2 = { 'h.0.attn.c_proj.weight': weight(64, 64), 'x.up.weight': weight(64, 64) }
    const plans = async (
      config: object | undefined,
      tensors: typeof gpt2 | object,
    ): Promise<any> => {
      const folder = modelOf(config, tensors as Record<string, RawTensor>)
      return (await aoJson(['quantize', folder, '--config', 'int8', '--dry-run'])).tensors
    }
    expect(await plans({ model_type: 'gpt2' }, gpt2)).toMatchObject([
      { role: 'transposed linear', rule: 'family gpt2', to: 'bfloat16' },
      { role: 'linear', rule: 'shape rule', to: 'Int8Tensor' },
    ])
    expect((await plans({ model_type: 'gpt_bigcode' }, gpt2))[0].to).toBe('Int8Tensor')
    const t5 = {
      'a.SelfAttention.relative_attention_bias.weight': weight(32, 8),
      'a.SelfAttention.q.weight': weight(64, 64),
      'proj_out.weight': weight(100, 64),
    }
    for (const config of [undefined, { model_type: 't5' }]) {
      expect((await plans(config, t5)).map(({ role }: any) => role)).toEqual([
        'embedding',
        'linear',
        'output head',
      ])
    }
  })

  it('keeps a tensor whose name has no module', async () => {
    const out = join(temporaryFolder(), 'out')
    const model = modelOf({}, { weight: weight(4, 8), 'up.weight': weight(4, 8) })
    const report = await aoJson(['quantize', model, '--config', 'int8', '--out', out])
    expect(report.kept[0].reason).toBe('its name has no module before the last dot')
    expect(readRawSafetensors(join(out, 'model.safetensors')).tensors.has('weight')).toBe(true)
  })

  it('takes a head of any name with --lm-head', async () => {
    const model = modelOf(
      { model_type: 'whisper' },
      {
        'proj_out.weight': weight(100, 64),
        'model.decoder.layers.0.fc1.weight': weight(64, 64),
      },
    )
    const args = ['quantize', model, '--config', 'int8', '--dry-run']
    expect((await aoJson(args)).quantized).toBe(1)
    expect((await aoJson([...args, '--lm-head'])).quantized).toBe(2)
  })
})

describe('keys of a config that name nothing', () => {
  const int8 = { _type: 'Int8WeightOnlyConfig', _version: 2, _data: {} }
  const configFile = (entries: object): string => {
    const path = join(temporaryFolder(), 'config.json')
    const data = { _type: 'FqnToConfig', _version: 1, _data: { fqn_to_config: entries } }
    writeFileSync(path, JSON.stringify(data))
    return path
  }
  const Q = 'model.layers.0.self_attn.q_proj'

  it.each<[string, object, string]>([
    [
      'a name',
      { [Q]: int8, 'model.layers.0.self_attn.k_prj': int8 },
      'Did you mean model.layers.0.self_attn.k_proj?',
    ],
    [
      'a name beside _default',
      { 'model.layer.0.mlp.up_proj': int8, _default: int8 },
      'Did you mean model.layers.0.mlp.up_proj?',
    ],
    ['patterns alone', { 're:decoder\\..*': int8, 're:encoder': null }, "got 're:decoder\\..*'"],
    ['null alone', { nothing: null }, "got 'nothing'"],
  ])('%s: refused', async (_, entries, message) => {
    const config = configFile(entries)
    for (const argv of [
      ['quantize', MODEL, '--config', config, '--dry-run'],
      ['generate', MODEL, '--config', config, '--prompt', 'x', '--max-tokens', '1'],
    ]) {
      const { code, stderr } = await ao(argv)
      expect(stderr).toContain(
        'Expected keys of the config to name modules or tensors of the model',
      )
      expect(stderr).toContain(message)
      expect(code).toBe(2)
    }
  })

  it('patterns and null beside others: said', async () => {
    const config = configFile({ [Q]: int8, 're:.*experts.*': int8, lm_head: null })
    const report = await aoJson(['quantize', MODEL, '--config', config, '--dry-run'])
    expect(report.quantized).toBe(1)
    expect(report.notes).toEqual([
      "the key 're:.*experts.*' of the config names nothing in this model",
      "the key 'lm_head' of the config names nothing in this model",
    ])
    const { stdout } = await ao(['quantize', MODEL, '--config', config, '--dry-run'])
    expect(stdout).toContain("note: the key 'lm_head' of the config")
  })
})
