import { fromArray, type Tensor } from '@ao/base-tensor'
import { Embedding, Linear, Module } from '@ao/nn'
import { describe, expect, it } from 'vitest'
import {
  FqnToConfig,
  quantize_,
  quantizeStateDict,
  tensorRoles,
  TorchAoConfig,
  weightTransform,
  type HuggingFaceQuantization,
} from '../src/index.ts'
import { StepConfig } from './stand-ins.ts'

const weight = (): Tensor => fromArray(Float32Array.from([1, -1, 0.5, 2]), [2, 2], 'float32')

/** A model of one layer, whose output head may be its embedding. */
class Model extends Module {
  model = new (class extends Module {
    embed_tokens = new Embedding(weight())
    up_proj = new Linear(weight())
  })()
  lm_head: Linear | undefined

  constructor(isTied: boolean) {
    super()
    if (!isTied) this.lm_head = new Linear(weight())
  }

  get hasTiedHead(): boolean {
    return this.lm_head === undefined
  }

  untieHead(): void {
    this.lm_head ??= new Linear(this.model.embed_tokens.weight)
  }
}

const step = new StepConfig()
const EMBED = 'model.embed_tokens'
const byName = new FqnToConfig({ [EMBED]: step, _default: step })
const byDefault = new FqnToConfig({ _default: step })

function quantization(fields: Partial<HuggingFaceQuantization>): TorchAoConfig {
  return new TorchAoConfig({ config: step, ...fields })
}

type Case = readonly [
  what: string,
  fields: Partial<HuggingFaceQuantization>,
  isTied: boolean,
  quantized: string,
]
const include = { includeInputOutputEmbeddings: true }
const all: readonly string[] = []

/** What transformers 5.17 quantizes; e: the embedding, h: the head, u: the layer. */
const CASES: readonly Case[] = [
  ['a list of its own', {}, false, 'u'],
  ['a list of its own, and a key', { config: byName }, false, 'eu'],
  ['a list of its own, a key, and a tied head', { config: byName }, true, 'u'],
  ['an empty list', { modulesToNotConvert: all }, false, 'uh'],
  [
    'an empty list, a key, and a tied head',
    { modulesToNotConvert: all, config: byName },
    true,
    'eu',
  ],
  ['both included', include, false, 'uh'],
  ['both included, by _default', { ...include, config: byDefault }, false, 'euh'],
  ['an embedding by a key, tied', { ...include, config: byName }, true, 'eu'],
  ['names in the list', { config: byName, modulesToNotConvert: [EMBED, 'lm_head'] }, false, 'u'],
  [
    'names in the list that are included',
    { ...include, config: byName, modulesToNotConvert: [EMBED, 'lm_head', 'model.up'] },
    false,
    'eh',
  ],
  ['a pattern in the list', { modulesToNotConvert: ['.*up_'] }, false, 'h'],
  ['the end of a name in the list', { modulesToNotConvert: ['proj.weight'] }, false, 'h'],
]

const LETTERS = new Map([
  [`${EMBED}.weight`, 'e'],
  ['model.up_proj.weight', 'u'],
  ['lm_head.weight', 'h'],
])

describe('what transformers quantizes', () => {
  it.each(CASES)('%s', async (_, fields, isTied, expected) => {
    const model = new Model(isTied)
    const entries = model.stateDict()
    const given = quantization(fields)
    const roles = given.roles(tensorRoles(), isTied)
    const transform = weightTransform(given.config, { roles })
    const transformed = [...entries].filter(([name, tensor]) => transform(name, tensor) !== tensor)
    const { stateDict, report } = await quantizeStateDict(entries, given)
    const ofModel = await quantize_(model, given)
    for (const names of [
      transformed.map(([name]) => name),
      report.quantized.map(({ name }) => name),
      ofModel.quantized.map(({ name }) => name),
    ]) {
      expect(names.map((name) => LETTERS.get(name)).join('')).toBe(expected)
    }
    expect([...stateDict.keys()]).toEqual([...entries.keys()])
    expect(model.hasTiedHead).toBe(isTied)
  })

  it('cuts a tied head from an embedding that is quantized, and leaves it as it is', async () => {
    const given = quantization({ ...include, config: byName, untieEmbeddingWeights: true })
    const model = new Model(true)
    const { weight: table } = model.model.embed_tokens
    const { stateDict, report } = await quantizeStateDict(model.stateDict(), given)
    expect(stateDict.get('lm_head.weight')).toBe(table)
    const ofModel = await quantize_(model, given)
    expect(model.lm_head?.weight).toBe(table)
    expect(model.model.embed_tokens.weight).not.toBe(table)
    for (const { skipped } of [report, ofModel]) {
      const reason = 'it was cut from the embedding that it was tied to, which is quantized'
      expect(skipped).toEqual([{ name: 'lm_head.weight', reason }])
    }
  })

  it('leaves a head tied to an embedding that stays', async () => {
    const given = quantization({ ...include, untieEmbeddingWeights: true })
    const model = new Model(true)
    const { stateDict, report } = await quantizeStateDict(model.stateDict(), given)
    expect([...stateDict.keys()]).toEqual([...model.stateDict().keys()])
    await quantize_(model, given)
    expect(model.hasTiedHead).toBe(true)
    const reason = 'only FqnToConfig reaches embeddings'
    expect(report.skipped).toEqual([{ name: `${EMBED}.weight`, reason }])
  })

  it('refuses fields that it does not know', () => {
    const fields = { config: step, modules_to_not_convert: ['lm_head'] }
    expect(() => new TorchAoConfig(fields)).toThrow('modules_to_not_convert')
  })

  it('says why something stays, and takes no filter', async () => {
    const given = quantization({ config: byName, modulesToNotConvert: ['model.embed'] })
    const { report } = await quantizeStateDict(new Model(false).stateDict(), given)
    const reason = "it is in modules_to_not_convert, as 'model.embed'"
    expect(report.skipped).toEqual([{ name: `${EMBED}.weight`, reason }])
    const filter = (): boolean => true
    await expect(quantize_(new Model(false), given, { filter })).rejects.toThrow(
      'Expected no filter beside a TorchAoConfig',
    )
  })
})
