/** @file Decoders of codes of a byte each. */

import { takes } from '@ao/base-tensor'
import type { WeightDecoder } from './decoder.ts'
import { weightDecoder } from './weight-decoder.ts'
import bytes from './wgsl/decode/bytes.wgsl'
import int8 from './wgsl/decode/int8.wgsl'

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
  return byteDecoder({ ...options, wgsl: [int8, options.wgsl].join('\n') })
}

/**
 * The decoder of a format whose codes are bytes: its WGSL has `levels_of(word: u32) -> vec4f`, the levels of four
 * codes, `qparams` and `value_of`. Codes of zeros stand for 0.
 */
/* @__NO_SIDE_EFFECTS__ */
export function byteDecoder(options: Int8DecoderOptions): WeightDecoder {
  takes('o<name:x parts:l wgsl:x>', options)
  const { name, parts, wgsl } = options
  return weightDecoder({
    name,
    chunk: 16,
    parts,
    wgsl: [wgsl, bytes].join('\n'),
    codesType: ({ k }) => (k % 16 === 0 ? 'vec4u' : 'u32'),
    readsPastK: true,
  })
}
