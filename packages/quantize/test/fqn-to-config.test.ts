import { tensor, ValueError, zeros, type QuantizationConfig, type Tensor } from '@ao/base-tensor'
import { Embedding, LayerNorm, Linear, Module, ReLU, Sequential } from '@ao/nn'
import { describe, expect, it } from 'vitest'
import {
  AOPerModuleConfig,
  fqnMatchesFqnConfig,
  FqnToConfig,
  ModuleFqnToConfig,
  quantize_,
  quantizeStateDict,
  type FqnConfigs,
  type QuantizeOptions,
  type QuantizeReport,
} from '../src/index.ts'
import { StepConfig, StepTensor } from './stand-ins.ts'

const A = new StepConfig(1)
const B = new StepConfig(2)

class Toy extends Module {
  readonly linear1 = new Linear(zeros([4, 4]), zeros([4]))
  readonly linear2 = new Linear(zeros([4, 4]), zeros([4]))
  readonly embed = new Embedding(zeros([8, 4]))
  readonly norm = new LayerNorm(zeros([4]), zeros([4]))
}

/** Which step each parameter was given. */
async function steps(
  configs: FqnConfigs,
  model: Module = new Toy(),
): Promise<Record<string, number>> {
  await quantize_(model, new FqnToConfig(configs), { allowUnusedKeys: true })
  return Object.fromEntries(
    [...model.stateDict()].flatMap(([name, t]) =>
      t instanceof StepTensor ? [[name, t.step]] : [],
    ),
  )
}

const report = (configs: FqnConfigs, options: QuantizeOptions = {}): Promise<QuantizeReport> =>
  quantize_(new Toy(), new FqnToConfig(configs), options)

describe('one key', () => {
  it('_default: all linear layers, and nothing else', async () => {
    expect(await steps({ _default: A })).toEqual({ 'linear1.weight': 1, 'linear2.weight': 1 })
  })

  it('a module by its name: its weight, not its bias', async () => {
    expect(await steps({ linear1: A })).toEqual({ 'linear1.weight': 1 })
    expect(await steps({ embed: A, _default: B })).toEqual({
      'embed.weight': 1,
      'linear1.weight': 2,
      'linear2.weight': 2,
    })
  })

  it('a parameter by its name, whatever it is', async () => {
    expect(await steps({ 'linear1.bias': A })).toEqual({ 'linear1.bias': 1 })
    expect(await steps({ 'norm.weight': A })).toEqual({ 'norm.weight': 1 })
    expect(await steps({ norm: A })).toEqual({})
  })

  it('a pattern for modules: their weights', async () => {
    expect(await steps({ 're:linear.': A })).toEqual({ 'linear1.weight': 1, 'linear2.weight': 1 })
    // This matches "linear1.bias" whole, too; torchao quantizes it then, and forward fails.
    expect(await steps({ 're:linear.*': A })).toEqual({ 'linear1.weight': 1, 'linear2.weight': 1 })
    expect(await steps({ 're:.*': A })).toEqual({
      'linear1.weight': 1,
      'linear2.weight': 1,
      'embed.weight': 1,
    })
  })

  it('a pattern for parameters', async () => {
    expect(await steps({ 're:linear1\\.weight': A })).toEqual({ 'linear1.weight': 1 })
    expect(await steps({ 're:.*\\.bias': A })).toEqual({
      'linear1.bias': 1,
      'linear2.bias': 1,
      'norm.bias': 1,
    })
  })

  it('a pattern must match the whole name', async () => {
    expect(await steps({ 're:linear': A })).toEqual({})
    expect(await steps({ 're:inear1': A })).toEqual({})
  })
})

describe('precedence', () => {
  it.each<[string, FqnConfigs, Record<string, number>]>([
    ['parameter over module', { linear1: A, 'linear1.weight': B }, { 'linear1.weight': 2 }],
    [
      'parameter over parameter pattern',
      { 're:.*1\\.weight': A, 'linear1.weight': B },
      { 'linear1.weight': 2 },
    ],
    [
      'parameter over module pattern',
      { 're:linear1': A, 'linear1.weight': B },
      { 'linear1.weight': 2 },
    ],
    [
      'parameter over default',
      { _default: A, 'linear1.weight': B, linear2: null },
      { 'linear1.weight': 2 },
    ],
    [
      'module over parameter pattern',
      { 're:.*1\\.weight': A, linear1: B },
      { 'linear1.weight': 2 },
    ],
    ['module over module pattern', { 're:linear1': A, linear1: B }, { 'linear1.weight': 2 }],
    [
      'parameter pattern over module pattern',
      { 're:linear1': A, 're:.*1\\.weight': B },
      { 'linear1.weight': 2 },
    ],
    [
      'pattern over default',
      { _default: A, 're:linear1': B, linear2: null },
      { 'linear1.weight': 2 },
    ],
  ])('%s', async (_name, configs, expected) => {
    expect(await steps(configs)).toEqual(expected)
  })

  it('the first of two patterns, once', async () => {
    expect(await steps({ 're:linear1': A, 're:linear.': B })).toEqual({
      'linear1.weight': 1,
      'linear2.weight': 2,
    })
    expect(await steps({ 're:linear.': B, 're:linear1': A })).toEqual({
      'linear1.weight': 2,
      'linear2.weight': 2,
    })
    // torchao lets 're:.*' win here, for it matches "linear1.weight" and 're:linear1' does not.
    expect(await steps({ 're:linear1': A, 're:.*': null })).toEqual({ 'linear1.weight': 1 })
    expect(await steps({ 're:.*\\.weight': A, 're:linear1\\.w.*': B })).toMatchObject({
      'linear1.weight': 1,
    })
  })

  it('each parameter of a module on its own', async () => {
    const both = { 'linear1.weight': 1, 'linear1.bias': 2 }
    expect(await steps({ 'linear1.weight': A, 'linear1.bias': B })).toEqual(both)
    expect(await steps({ 're:linear1\\.weight': A, 're:linear1\\.bias': B })).toEqual(both)
    expect(await steps({ linear1: A, 'linear1.bias': null })).toEqual({ 'linear1.weight': 1 })
    expect(await steps({ 'linear1.weight': null, 'linear1.bias': null, _default: A })).toEqual({
      'linear2.weight': 1,
    })
  })
})

describe('null', () => {
  it.each<[string, FqnConfigs]>([
    ['a module', { linear1: null, _default: A }],
    ['a parameter', { 'linear1.weight': null, _default: A }],
    ['a pattern', { 're:.*1': null, _default: A }],
    ['a parameter over its module', { 'linear1.weight': null, linear1: B, _default: A }],
  ])('leaves alone %s', async (_name, configs) => {
    expect(await steps(configs)).toEqual({ 'linear2.weight': 1 })
  })

  it('says so', async () => {
    const { skipped } = await report({ linear1: null, _default: A })
    expect(skipped).toContainEqual({
      name: 'linear1.weight',
      reason: "FqnToConfig has null for 'linear1'",
    })
  })
})

describe('trees', () => {
  class Block extends Module {
    readonly linear = new Linear(zeros([4, 4]), zeros([4]))
    readonly scale = zeros([2, 4])
  }

  it('reaches nested modules and parameters of any name', async () => {
    const model = (): Module => new Sequential(new Sequential(), new Sequential()) as Module
    const nested = model()
    Object.assign(nested, { blocks: [new Block(), new Block()] })
    expect(await steps({ 'blocks.1.linear': A, 'blocks.0.scale': B }, nested)).toEqual({
      'blocks.0.scale': 2,
      'blocks.1.linear.weight': 1,
    })
  })

  it('reaches parameters of the root', async () => {
    expect(await steps({ scale: A }, new Block())).toEqual({ scale: 1 })
    expect(await steps({ weight: A }, new Linear(zeros([4, 4])))).toEqual({ weight: 1 })
    expect(await steps({ '': A }, new Linear(zeros([4, 4])))).toEqual({ weight: 1 })
    expect(await steps({ _default: A }, new Linear(zeros([4, 4])))).toEqual({ weight: 1 })
  })

  it('gives layers of one model different formats, as the mixed checkpoint of torchao', async () => {
    class Mlp extends Module {
      readonly up = new Linear(zeros([256, 128]), zeros([256]))
      readonly relu = new ReLU()
      readonly down = new Linear(zeros([128, 256]))
      readonly norm = new LayerNorm(zeros([128]), zeros([128]))
      readonly head = new Linear(zeros([64, 128]), zeros([64]))
    }
    expect(await steps({ up: A, 're:d.*': B, _default: null }, new Mlp())).toEqual({
      'up.weight': 1,
      'down.weight': 2,
    })
  })
})

describe('the report', () => {
  it('tells why each parameter was left, and which keys did nothing', async () => {
    const result = await report({ 're:.*norm': A, linear1: A, 'linear3.weight': A, _default: null })
    expect(result.quantized).toEqual([
      { name: 'linear1.weight', before: 64, after: 16, format: 'StepTensor' },
    ])
    expect(result.skipped).toEqual([
      { name: 'linear1.bias', reason: 'it is not a weight' },
      { name: 'linear2.weight', reason: "FqnToConfig has null for '_default'" },
      { name: 'linear2.bias', reason: 'it is not a weight' },
      { name: 'embed.weight', reason: 'its module is not a linear layer' },
      { name: 'norm.weight', reason: 'its shape is [4]; only a key with its own name reaches it' },
      { name: 'norm.bias', reason: 'it is not a weight' },
    ])
    expect(result.unusedKeys).toEqual(['linear3.weight'])
  })

  it('is an error where no key decides about anything, unless that is allowed', async () => {
    for (const [configs, message] of [
      [{ linaer1: A, 're:down': null }, 'got linaer1, re:down. Did you mean linear1?'],
      [{ 're:linear3': A }, 'got re:linear3. Did you mean linear'],
      [{ 'linear1.wieght': A }, 'Did you mean linear1.weight?'],
      [{ transformer: A }, 'Names are those of its parameters, such as linear1.weight.'],
    ] as const) {
      await expect(report(configs)).rejects.toThrow(message)
      await expect(report(configs)).rejects.toThrow(ValueError)
      const { quantized, unusedKeys } = await report(configs, { allowUnusedKeys: true })
      expect([quantized, unusedKeys]).toEqual([[], Object.keys(configs)])
      const state = new Map([['linear1.weight', zeros([4, 4])]])
      const config = new FqnToConfig(configs)
      await expect(quantizeStateDict(state, config)).rejects.toThrow('a key of FqnToConfig to name')
    }
    expect((await report({})).quantized).toEqual([])
  })

  it('says when no key matches', async () => {
    const { skipped } = await report({ linear1: A })
    expect(skipped).toContainEqual({
      name: 'linear2.weight',
      reason: 'no key of FqnToConfig matches',
    })
  })
})

describe('FqnToConfig', () => {
  it('has its older names', () => {
    expect([AOPerModuleConfig, ModuleFqnToConfig]).toEqual([FqnToConfig, FqnToConfig])
  })

  it('takes no filter beside it', async () => {
    const config = new FqnToConfig({ _default: A })
    await expect(quantize_(new Toy(), config, { filter: () => true })).rejects.toThrow(
      '[@ao/quantize] Expected no filter beside FqnToConfig, whose keys say what is quantized, got both. Leave the filter out, and give null to the keys of what shall stay as it is.',
    )
    await expect(quantize_(new Toy(), config, { filter: null })).resolves.toBeDefined()
  })

  it('refuses patterns that JavaScript lacks when it is made', () => {
    expect(() => new FqnToConfig({ 're:a++': A })).toThrow(
      "in 're:a++', got a possessive quantifier",
    )
  })

  it('tells whether a name matches', () => {
    const config = new FqnToConfig({ linear1: A, 're:.*proj': null, _default: A })
    const match = (fqn: string): boolean => fqnMatchesFqnConfig(fqn, config)
    expect(['linear1', 'q_proj', 'linear2', '_default', 're:.*proj'].map(match)).toEqual([
      true,
      true,
      false,
      false,
      true,
    ])
  })

  it('is a config itself, which goes by name', () => {
    const config: QuantizationConfig = new FqnToConfig({ up: A, 're:d.*': null, _default: B })
    const weight = tensor([[1, 2]])
    const at = (name: string): unknown => {
      const result = config.quantizeTensor(weight, { name })
      return 'skipped' in result ? result.skipped : (result as Tensor as StepTensor).step
    }
    expect(['up.weight', 'gate.weight', 'down.weight', 'up.bias'].map(at)).toEqual([
      1,
      2,
      "FqnToConfig has null for 're:d.*'",
      'no key of FqnToConfig matches',
    ])
  })
})
