/** @file How positions are turned into rotations: the `rope_*` fields of config.json. */

import { takes } from '@ao/base-tensor'
import { describe, isObject, type ConfigFields } from './config-fields.ts'

/** Rotary position embeddings, by transformers' `rope_type`. */
export type RopeConfig =
  | { readonly type: 'default'; readonly theta: number }
  /** Queries and keys stay as they are. */
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly type: 'llama3'
      readonly theta: number
      readonly factor: number
      /** Waves longer than `originalMaxPositions / lowFreqFactor` are stretched in full. */
      readonly lowFreqFactor: number
      /** Waves shorter than `originalMaxPositions / highFreqFactor` stay as they are. */
      readonly highFreqFactor: number
      /** Positions that the model was trained on before it was stretched. */
      readonly originalMaxPositions: number
    }
  | {
      readonly type: 'yarn'
      readonly theta: number
      readonly factor: number
      /** What cosines and sines are multiplied by. */
      readonly attentionFactor: number
      /** Waves that turn more often than that within `originalMaxPositions` stay as they are. */
      readonly betaFast: number
      /** Waves that turn less often are stretched in full. */
      readonly betaSlow: number
      /** Whether the bounds between both are whole elements. */
      readonly truncate: boolean
      readonly originalMaxPositions: number
    }
  | {
      readonly type: 'dynamic'
      readonly theta: number
      readonly factor: number
      /** Sequences up to that length have the rotations of `default`. */
      readonly originalMaxPositions: number
    }
  | {
      readonly type: 'longrope'
      readonly theta: number
      readonly attentionFactor: number
      /** What waves are stretched by, one for each pair, in sequences up to `originalMaxPositions`. */
      readonly shortFactors: readonly number[]
      /** As `shortFactors`, in longer sequences. */
      readonly longFactors: readonly number[]
      readonly originalMaxPositions: number
    }

/** What a family's files leave out. */
export interface RopeDefaults {
  /** `rope_theta`: 10,000 unless given. */
  readonly theta?: number
  /** `max_position_embeddings`: {@link MAX_POSITIONS} unless given. */
  readonly maxPositions?: number
}

const ROPE_TYPES = ['default', 'linear', 'llama3', 'yarn', 'dynamic', 'longrope'] as const
const ORIGINAL_POSITIONS = 'original_max_position_embeddings'
/** Far above those of real models, and so low that rotations are finite in float32. */
const MAX_THETA = 1e30
const MAX_FACTOR = 1e6
/** Of real models, Llama 4 Scout has most: 10 million. */
export const MAX_POSITIONS: number = 2 ** 24

/**
 * The rope fields of either form: `rope_parameters`, or `rope_theta` beside `rope_scaling`, which may
 * call its `rope_type` just `type`. Both together must say the same.
 */
export function parseRopeConfig(config: ConfigFields, defaults: RopeDefaults = {}): RopeConfig {
  takes('o<number:f get:f child:f reject:f>o{theta maxPositions}?', config, defaults)
  const theta = config.number('rope_theta', defaults.theta ?? 10000, 1, MAX_THETA)
  const parser = { config, maxPositions: defaults.maxPositions ?? MAX_POSITIONS }
  const [rope = { type: 'default', theta }, other = rope] = ['rope_parameters', 'rope_scaling']
    .filter((name) => config.get(name) !== undefined)
    .flatMap((name) => parseForm(parser, name, theta) ?? [])
  if (JSON.stringify(other) !== JSON.stringify(rope)) {
    config.reject('rope_scaling', 'what rope_parameters says', 'Remove one of them.')
  }
  const original = config.get(ORIGINAL_POSITIONS)
  const own = 'originalMaxPositions' in rope ? rope.originalMaxPositions : original
  if (original !== undefined && rope.type !== 'dynamic' && original !== own) {
    config.reject(ORIGINAL_POSITIONS, `${own}, as beside rope_type`)
  }
  return rope
}

/**
 * The rope of each type of layer, from `rope_parameters` that has one set for each of `types`.
 *
 * @returns undefined where `rope_parameters` is absent or is one set for all
 */
export function parseRopeByLayerType<Type extends string>(
  config: ConfigFields,
  defaults: Readonly<Record<Type, RopeDefaults>>,
): Readonly<Record<Type, RopeConfig>> | undefined {
  takes('o<child:f get:f>o', config, defaults)
  const rope = config.child('rope_parameters')
  const types = Object.keys(defaults) as Type[]
  if (!rope || !types.every((type) => isObject(rope.get(type)))) return undefined
  const parsed = types.map((type) => {
    const { theta = 10000, maxPositions = MAX_POSITIONS } = defaults[type]
    return [type, parseForm({ config: rope, maxPositions }, type, theta)]
  })
  return Object.fromEntries(parsed) as Record<Type, RopeConfig>
}

/**
 * How long texts may get: `maxPositions`, or what a rope stretches a model to where `max_position_embeddings` is
 * that of its training. Of `dynamic` it is 64 times that: it has no end of its own.
 */
export function longestText(rope: RopeConfig, maxPositions: number): number {
  takes('o<type:x>n', rope, maxPositions)
  if (rope.type !== 'yarn' && rope.type !== 'dynamic') return maxPositions
  const factor = rope.type === 'yarn' ? rope.factor : 64
  const stretched = Math.floor(factor * rope.originalMaxPositions)
  return Math.min(Math.max(maxPositions, stretched), MAX_POSITIONS)
}

/**
 * `partial_rotary_factor`: the share of a head's elements that turn, the first ones.
 *
 * @returns 1 unless the file says otherwise
 */
export function parsePartialRotary(config: ConfigFields): number {
  takes('o<number:f child:f>', config)
  const share = config.number('partial_rotary_factor', 1, 0, 1)
  const nested = ['rope_parameters', 'rope_scaling'].map((name) => config.child(name))
  return nested.reduce(
    (own, rope) => rope?.number('partial_rotary_factor', own, 0, 1) ?? own,
    share,
  )
}

interface Parser {
  readonly config: ConfigFields
  readonly maxPositions: number
}

function parseForm(parser: Parser, name: string, theta: number): RopeConfig | undefined {
  const { config } = parser
  const rope = config.child(name)
  if (!rope) return undefined
  const written = rope.unread().filter(({ value }) => value !== null)
  if (written.some(({ value }) => isObject(value))) {
    config.reject(name, 'one set of parameters', 'Parameters by type of layer are not supported.')
  }
  // Other parameters without a type would be parameters of nothing.
  const needsType = written.some(({ name }) => !TYPELESS.includes(name))
  const ownTheta = rope.number('rope_theta', theta, 1, MAX_THETA)
  return parseParameters(rope, needsType ? undefined : 'default', ownTheta, parser)
}

const TYPELESS = ['rope_theta', 'partial_rotary_factor']

function parseParameters(
  rope: ConfigFields,
  fallback: 'default' | undefined,
  theta: number,
  { config, maxPositions }: Parser,
): RopeConfig {
  const isOld = rope.get('rope_type') === undefined && rope.get('type') !== undefined
  const name = isOld ? 'type' : 'rope_type'
  // Phi-3's first files call longrope so.
  const written = rope.get(name) === 'su' ? 'longrope' : undefined
  const type = written ?? rope.choice(name, ROPE_TYPES, fallback)
  if (!written && (rope.get('type') ?? type) !== type) {
    rope.reject('type', `${describe(type)}, as rope_type is`)
  }
  const factor = (name: string, fallback?: number): number =>
    rope.number(name, fallback, 1 / MAX_FACTOR, MAX_FACTOR)
  const original = (): number => {
    const beside = config.get(ORIGINAL_POSITIONS)
    const outer =
      beside === undefined
        ? maxPositions
        : config.size(ORIGINAL_POSITIONS, undefined, MAX_POSITIONS)
    return rope.size(ORIGINAL_POSITIONS, outer, MAX_POSITIONS)
  }
  switch (type) {
    case 'default':
      rope.get(ORIGINAL_POSITIONS) // changes nothing in the types that do not use it
      return { type, theta }
    case 'linear':
      rope.get(ORIGINAL_POSITIONS)
      return { type, theta, factor: factor('factor') }
    case 'dynamic':
      rope.get(ORIGINAL_POSITIONS)
      return { type, theta, factor: factor('factor'), originalMaxPositions: maxPositions }
    case 'llama3': {
      const lowFreqFactor = factor('low_freq_factor')
      const highFreqFactor = factor('high_freq_factor')
      if (highFreqFactor <= lowFreqFactor) {
        rope.reject('high_freq_factor', `above low_freq_factor, ${lowFreqFactor}`)
      }
      const originalMaxPositions = rope.size(ORIGINAL_POSITIONS, undefined, MAX_POSITIONS)
      return {
        ...{ type, theta, factor: factor('factor') },
        ...{ lowFreqFactor, highFreqFactor, originalMaxPositions },
      }
    }
    case 'yarn': {
      const originalMaxPositions = original()
      const stretch = factor('factor', maxPositions / originalMaxPositions)
      return {
        ...{ type, theta, factor: stretch, originalMaxPositions },
        attentionFactor: factor('attention_factor', yarnAttentionFactor(rope, stretch)),
        betaFast: factor('beta_fast', 32),
        betaSlow: factor('beta_slow', 1),
        truncate: rope.boolean('truncate', true),
      }
    }
    case 'longrope': {
      const originalMaxPositions = original()
      const stretch = factor('factor', maxPositions / originalMaxPositions)
      const grown = Math.sqrt(1 + Math.log(stretch) / Math.log(originalMaxPositions))
      return {
        ...{ type, theta, originalMaxPositions },
        attentionFactor: factor('attention_factor', stretch > 1 ? grown : 1),
        shortFactors: rope.numbers('short_factor', 1 / MAX_FACTOR, MAX_FACTOR),
        longFactors: rope.numbers('long_factor', 1 / MAX_FACTOR, MAX_FACTOR),
      }
    }
  }
}

/** `mscale` of both kinds is set by DeepSeek's models, where only their ratio counts. */
function yarnAttentionFactor(rope: ConfigFields, factor: number): number {
  const scale = (mscale: number): number => (factor > 1 ? 0.1 * mscale * Math.log(factor) + 1 : 1)
  const own = rope.number('mscale', 0, 0, MAX_FACTOR)
  const all = rope.number('mscale_all_dim', 0, 0, MAX_FACTOR)
  return own > 0 && all > 0 ? scale(own) / scale(all) : scale(1)
}
