/** @file Decoders of codes of a byte each. */

import { takes } from '@ao/base-tensor'
import type { WeightDecoder } from './decoder.ts'
import int8 from './wgsl/decode/int8.wgsl'
import valueOfLevel from './wgsl/decode/value-of-level.wgsl'

/** Where a format's scales and zero points lie. */
export interface Int8DecoderOptions {
  /** For names of kernels: `int8`. */
  readonly name: string
  /** {@link WeightDecoder.parts}. */
  readonly parts: readonly string[]
  /**
   * `qparams`, `value_of`, and `zero_level(row, group) -> f32`, the zero point of a row in units of codes. Levels
   * are codes, -128..127.
   */
  readonly wgsl: string
}

/** The decoder of an int8 format. */
/* @__NO_SIDE_EFFECTS__ */
export function int8Decoder(options: Int8DecoderOptions): WeightDecoder {
  takes('o<name:x parts:l wgsl:x>', options)
  const { name, parts, wgsl } = options
  return {
    name,
    chunk: 16,
    parts,
    wgsl: [int8, wgsl, valueOfLevel].join('\n'),
    codesType: ({ k }) => (k % 16 === 0 ? 'vec4u' : 'u32'),
    readsPastK: true,
  }
}
