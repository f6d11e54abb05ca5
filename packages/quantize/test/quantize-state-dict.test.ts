import { meta, tensor, zeros, type QuantizationConfig, type Tensor } from '@ao/base-tensor'
import { Int8WeightOnlyConfig } from '@ao/int8'
import { describe, expect, it } from 'vitest'
import {
  FqnToConfig,
  isLinearWeightName,
  quantizeStateDict,
  weightTransform,
  type SkippedWeight,
} from '../src/index.ts'
import { StepConfig, StepTensor } from './stand-ins.ts'

describe('isLinearWeightName', () => {
  it.each([
    'weight',
    'model.layers.0.self_attn.q_proj.weight',
    'model.layers.0.mlp.up_proj.weight',
    'h.0.mlp.c_fc.weight',
    'encoder.layer.0.attention.output.dense.weight',
    'encoder.layer.0.output.weight',
    'patch_embed.proj.weight',
    'embedding_hidden_mapping_in.weight',
  ])('takes %s', (name) => {
    expect(isLinearWeightName(name, zeros([4, 4]))).toBe(true)
  })

  const reasons: [string, Tensor, string][] = [
    ['up.bias', zeros([4]), 'it is not named *.weight'],
    ['up.weight_scale', zeros([4, 4]), 'it is not named *.weight'],
    ['up.weight', zeros([4, 4], 'int8'), 'its dtype is int8'],
    ['up.weight', zeros([4, 4], 'float8_e4m3fn'), 'its dtype is float8_e4m3fn'],
    ['conv.weight', zeros([4, 4, 3, 3]), 'it is a convolution'],
    ['model.embed_tokens.weight', zeros([4, 4]), 'it is an embedding'],
    ['transformer.wte.weight', zeros([4, 4]), 'it is an embedding'],
    ['transformer.wpe.weight', zeros([4, 4]), 'it is an embedding'],
    ['tok_embeddings.weight', zeros([4, 4]), 'it is an embedding'],
    ['bert.embeddings.word_embeddings.weight', zeros([4, 4]), 'it is an embedding'],
    ['shared.weight', zeros([4, 4]), 'it is an embedding'],
    ['model.norm.weight', zeros([4]), 'it is a norm'],
    ['model.layers.0.input_layernorm.weight', zeros([4]), 'it is a norm'],
    ['h.0.ln_1.weight', zeros([4]), 'it is a norm'],
    ['lm_head.weight', zeros([4, 4]), 'it is the output head'],
    ['language_model.lm_head.weight', zeros([4, 4]), 'it is the output head'],
    ['output.weight', zeros([4, 4]), 'it is the output head'],
    ['embed_out.weight', zeros([4, 4]), 'it is the output head'],
  ]

  it.each(reasons)('leaves %s and says why', async (name, weight, reason) => {
    expect(isLinearWeightName(name, weight)).toBe(false)
    const { report } = await quantizeStateDict(new Map([[name, weight]]), new StepConfig())
    expect(report.skipped).toEqual([{ name, reason }])
  })
})

describe('quantizeStateDict', () => {
  it('replaces linear weights in a copy, shared ones once', async () => {
    const shared = zeros([4, 4])
    const entries = new Map<string, Tensor>([
      ['a.weight', shared],
      ['b.weight', shared],
      ['b.bias', zeros([4])],
      ['lm_head.weight', zeros([4, 4])],
    ])
    const config = new StepConfig()
    const { stateDict, report } = await quantizeStateDict(entries, config)
    expect([...stateDict.keys()]).toEqual([...entries.keys()])
    expect(stateDict.get('a.weight')).toBeInstanceOf(StepTensor)
    expect(stateDict.get('b.weight')).toBe(stateDict.get('a.weight'))
    expect(stateDict.get('b.bias')).toBe(entries.get('b.bias'))
    expect(entries.get('a.weight')).toBe(shared)
    expect(config.asked).toEqual(['a.weight'])
    expect(report.quantized.map(({ name }) => name)).toEqual(['a.weight', 'b.weight'])
    expect(report.skipped.map(({ name }) => name)).toEqual(['b.bias', 'lm_head.weight'])
  })

  it('takes names of modules, and a filter', async () => {
    const entries = new Map([
      ['lm_head.weight', zeros([4, 4])],
      ['up.weight', zeros([4, 4])],
    ])
    const config = new FqnToConfig({ lm_head: new StepConfig(), 're:down': null })
    const { stateDict, report } = await quantizeStateDict(entries, config)
    expect(stateDict.get('lm_head.weight')).toBeInstanceOf(StepTensor)
    expect(report.unusedKeys).toEqual(['re:down'])
    const filtered = await quantizeStateDict(entries, new StepConfig(), {
      filter: (name) => name.startsWith('lm'),
    })
    expect(filtered.report.quantized.map(({ name }) => name)).toEqual(['lm_head.weight'])
    expect(filtered.report.skipped).toEqual([
      { name: 'up.weight', reason: 'the filter left it out' },
    ])
  })
})

describe('weightTransform', () => {
  it('decides the same with shapes and with data, and reports once', () => {
    const quantized: string[] = []
    const skipped: SkippedWeight[] = []
    const transform = weightTransform(new StepConfig(), {
      onQuantize: ({ name, before, after }) => quantized.push(`${name} ${before} ${after}`),
      onSkip: (weight) => skipped.push(weight),
    })
    const planned = transform('up.weight', zeros([2, 4], 'bfloat16', meta))
    expect([planned.nbytes, planned.device]).toEqual([8, meta])
    const bias = zeros([4])
    expect(transform('up.bias', bias)).toBe(bias)
    const plannedOdd = zeros([2, 3], 'float32', meta)
    expect(transform('odd.weight', plannedOdd)).toBe(plannedOdd)
    const real = transform('up.weight', tensor([[1, 2, 3, 4]], { dtype: 'bfloat16' }))
    expect(real).toBeInstanceOf(StepTensor)
    const odd = zeros([2, 3])
    expect(transform('odd.weight', odd)).toBe(odd)
    expect(quantized).toEqual(['up.weight 16 8'])
    expect(skipped).toEqual([
      { name: 'up.bias', reason: 'it is not named *.weight' },
      { name: 'odd.weight', reason: 'its rows have 3 elements, an odd number' },
    ])
  })

  it.each(['float32', 'bfloat16', 'float16'] as const)(
    'finds the one bad element of %s',
    (dtype) => {
      const largest = dtype === 'float16' ? 65504 : 3.3895313892515355e38
      for (const size of [7, 8]) {
        const row = (at: number, value: number): number[] =>
          Array.from({ length: size }, (_, i) => (i === at ? value : i % 2 ? -largest : largest))
        const transform = weightTransform(new StepConfig(1))
        expect(() => transform('fine', tensor([row(-1, 0)], { dtype }))).not.toThrow()
        for (let at = 0; at < size; at++) {
          for (const value of [NaN, Infinity, -Infinity]) {
            const weight = tensor([row(at, value)], { dtype })
            const bad = weightTransform(new StepConfig(1))
            expect(() => bad('up.weight', weight)).toThrow(
              `got 1 that is NaN or infinite, the first at [0, ${at}]`,
            )
          }
        }
      }
    },
  )

  it('refuses numbers that are not finite once it sees them', () => {
    const transform = weightTransform(new StepConfig())
    transform('up.weight', zeros([1, 2], 'float32', meta))
    expect(() => transform('up.weight', tensor([[NaN, 1]]))).toThrow(
      'Expected finite numbers in up.weight, got 1 that is NaN or infinite, the first at [0, 0].',
    )
    const lenient = weightTransform(new StepConfig(), { allowNonFinite: true })
    expect(lenient('up.weight', tensor([[NaN, 1]]))).toBeInstanceOf(StepTensor)
  })

  it('refuses a config that changes its mind', () => {
    const step = new StepConfig()
    const fickle: QuantizationConfig = {
      configName: 'Fickle',
      quantizeTensor: (weight, context) =>
        weight.device === meta ? step.quantizeTensor(weight, context) : { skipped: 'it is Monday' },
      toJSON: () => null,
    }
    const transform = weightTransform(fickle)
    transform('up.weight', zeros([2, 2], 'float32', meta))
    expect(() => transform('up.weight', zeros([2, 2]))).toThrow(
      "[@ao/quantize] Expected up.weight to become a StepTensor again, got the reason to skip it 'it is Monday'. A config must decide by name, shape and dtype alone.",
    )
  })

  it('takes no filter beside FqnToConfig', () => {
    expect(() => weightTransform(new FqnToConfig({}), { filter: () => true })).toThrow('got both')
  })
})

describe('weights that a format would lose', () => {
  it.each(['float32', 'bfloat16'] as const)('stay as they are, of %s', async (dtype) => {
    const tiny = tensor([1e-9, -2e-9, 0, 3e-9], { shape: [2, 2], dtype })
    const none = tensor([0, 0, 0, 0], { shape: [2, 2], dtype })
    const weights = new Map([
      ['a.weight', tiny],
      ['b.weight', none],
    ])
    const { report, stateDict } = await quantizeStateDict(weights, new Int8WeightOnlyConfig())
    expect(stateDict.get('a.weight')).toBe(tiny)
    expect(report.skipped.map(({ name, reason }) => `${name}: ${reason}`)).toEqual([
      'a.weight: its numbers, of which 3.0e-9 is the largest, are below the steps of the format',
    ])
    expect(report.quantized.map(({ name }) => name)).toEqual(['b.weight'])
  })

  it('are refused once their place is planned, with how to leave them out', () => {
    const transform = weightTransform(new Int8WeightOnlyConfig())
    transform('a.weight', zeros([2, 2], 'float32', meta))
    const tiny = tensor([1e-9, -2e-9, 0, 3e-9], { shape: [2, 2] })
    expect(() => transform('a.weight', tiny)).toThrow(
      "[@ao/quantize] Expected a.weight to have numbers that Int8Tensor can hold, as planned before they were read, got the reason to skip it 'its numbers, of which 3.0e-9 is the largest, are below the steps of the format'. Leave this weight out: with a filter, or null in FqnToConfig.",
    )
    const unplanned = weightTransform(new Int8WeightOnlyConfig())
    expect(unplanned('a.weight', tiny)).toBe(tiny)
  })
})
