/** @file Decoders of codes of 1 to 8 bits, packed without gaps. */

import { takes } from '@ao/base-tensor'
import type { WeightDecoder } from './decoder.ts'
import { weightDecoder } from './weight-decoder.ts'
import chunk from './wgsl/decode/bits-chunk.wgsl'
import bitsSource from './wgsl/decode/bits.wgsl'

/** Where a format's codes, scales and zero points lie, and what codes stand for. */
export interface BitsDecoderOptions {
  /** For names of kernels. */
  readonly name: string
  readonly bits: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8
  /**
   * The dimension along which codes lie one after another, from the lowest bit of each word of 32 on: `K`, in
   * rows of whole words, or `N`, in (words, K).
   */
  readonly along: 'K' | 'N'
  /** {@link WeightDecoder.parts}. */
  readonly parts: readonly string[]
  /**
   * `level_of(code: u32) -> f32`, which may read a table; `qparams`; and `value_of` where it is not made of
   * that.
   */
  readonly wgsl: string
}

/** The decoder of such a format. */
/* @__NO_SIDE_EFFECTS__ */
export function bitsDecoder(options: BitsDecoderOptions): WeightDecoder {
  takes('o<name:x parts:l wgsl:x>', options)
  const { name, bits, along, parts, wgsl } = options
  return weightDecoder({
    name,
    chunk: 32,
    parts,
    wgsl: [bitsSource, along === 'K' ? chunk : '', wgsl].join('\n'),
    defines: { BITS: bits, ALONG: along, STRADDLES: 32 % bits !== 0 },
  })
}
