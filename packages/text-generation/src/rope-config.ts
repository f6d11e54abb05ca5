/** @file How positions are turned into rotations: the `rope_*` fields of config.json. */

import { takes } from '@ao/base-tensor'
import { describe, isObject, type ConfigFields } from './config-fields.ts'

/** Rotary position embeddings, by transformers' `rope_type`. */
export type RopeConfig =
  | { readonly type: 'default'; readonly theta: number }
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

const ROPE_TYPES = ['default', 'linear', 'llama3'] as const
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
export function parseRopeConfig(config: ConfigFields): RopeConfig {
  takes('o<number:f get:f child:f reject:f>', config)
  const theta = config.number('rope_theta', 10000, 1, MAX_THETA)
  const [rope = { type: 'default', theta }, other = rope] = ['rope_parameters', 'rope_scaling']
    .filter((name) => config.get(name) !== undefined)
    .flatMap((name) => parseForm(config, name, theta) ?? [])
  if (JSON.stringify(other) !== JSON.stringify(rope)) {
    config.reject('rope_scaling', 'what rope_parameters says', 'Remove one of them.')
  }
  const original = config.get(ORIGINAL_POSITIONS)
  if (original !== undefined && rope.type === 'llama3' && original !== rope.originalMaxPositions) {
    config.reject(ORIGINAL_POSITIONS, `${rope.originalMaxPositions}, as beside rope_type`)
  }
  return rope
}

function parseForm(config: ConfigFields, name: string, theta: number): RopeConfig | undefined {
  const rope = config.child(name)
  if (!rope) return undefined
  const written = rope.unread().filter(({ value }) => value !== null)
  if (written.some(({ value }) => isObject(value))) {
    config.reject(name, 'one set of parameters', 'Parameters by type of layer are not supported.')
  }
  // Other parameters without a type would be parameters of nothing.
  const needsType = written.some(({ name }) => !TYPELESS.includes(name))
  const ownTheta = rope.number('rope_theta', theta, 1, MAX_THETA)
  return parseParameters(rope, needsType ? undefined : 'default', ownTheta)
}

const TYPELESS = ['rope_theta', 'partial_rotary_factor']

function parseParameters(
  rope: ConfigFields,
  fallback: 'default' | undefined,
  theta: number,
): RopeConfig {
  const isOld = rope.get('rope_type') === undefined && rope.get('type') !== undefined
  const type = rope.choice(isOld ? 'type' : 'rope_type', ROPE_TYPES, fallback)
  if ((rope.get('type') ?? type) !== type) rope.reject('type', `${describe(type)}, as rope_type is`)
  const factor = (name: string): number => rope.number(name, undefined, 1 / MAX_FACTOR, MAX_FACTOR)
  rope.get(ORIGINAL_POSITIONS) // changes nothing in the types that do not use it
  switch (type) {
    case 'default':
      return { type, theta }
    case 'linear':
      return { type, theta, factor: factor('factor') }
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
  }
}
