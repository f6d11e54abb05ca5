/** @file How positions are turned into rotations: the `rope_*` fields of config.json. */

import type { ConfigFields } from './config-fields.ts'

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

/**
 * The rope fields of either form: `rope_parameters`, or `rope_theta` beside `rope_scaling`, which may
 * call its `rope_type` just `type`.
 */
export function parseRopeConfig(config: ConfigFields): RopeConfig {
  const name = config.get('rope_parameters') === undefined ? 'rope_scaling' : 'rope_parameters'
  const rope = config.child(name)
  const theta = config.positive('rope_theta', 10000)
  if (!rope) return { type: 'default', theta }
  if (rope.get('partial_rotary_factor') !== undefined && rope.get('partial_rotary_factor') !== 1) {
    rope.reject('partial_rotary_factor', '1 or absent', 'Rotating part of a head is not supported.')
  }
  return parseParameters(rope, rope.positive('rope_theta', theta))
}

function parseParameters(rope: ConfigFields, theta: number): RopeConfig {
  const typeName = rope.get('rope_type') === undefined ? 'type' : 'rope_type'
  const type = rope.choice(typeName, ROPE_TYPES, 'default')
  switch (type) {
    case 'default':
      return { type, theta }
    case 'linear':
      return { type, theta, factor: rope.positive('factor') }
    case 'llama3': {
      const lowFreqFactor = rope.positive('low_freq_factor')
      const highFreqFactor = rope.positive('high_freq_factor')
      if (highFreqFactor <= lowFreqFactor) {
        rope.reject('high_freq_factor', `above low_freq_factor, ${lowFreqFactor}`)
      }
      const originalMaxPositions = rope.size('original_max_position_embeddings', undefined)
      const factor = rope.positive('factor')
      return { type, theta, factor, lowFreqFactor, highFreqFactor, originalMaxPositions }
    }
  }
}
