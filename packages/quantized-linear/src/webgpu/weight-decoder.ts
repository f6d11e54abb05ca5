/** @file Decoders of a few functions: the others are made of these. */

import { takes } from '@ao/base-tensor'
import type { WeightDecoder } from './decoder.ts'
import chunkOfLevels4 from './wgsl/decode/chunk-of-levels4.wgsl'
import int8CodesOfLevel from './wgsl/decode/int8-codes-of-level.wgsl'
import levels4OfLevel from './wgsl/decode/levels4-of-level.wgsl'
import valueAsLevel from './wgsl/decode/value-as-level.wgsl'
import valueOfLevel from './wgsl/decode/value-of-level.wgsl'
import valueOfQparams from './wgsl/decode/value-of-qparams.wgsl'

/** A decoder with those functions of the contract that its WGSL lacks: see `decoder.ts`. */
/* @__NO_SIDE_EFFECTS__ */
export function weightDecoder<Decoder extends WeightDecoder>(decoder: Decoder): Decoder {
  takes('o<wgsl:x>', decoder)
  const { wgsl } = decoder
  const lacks = (name: string): boolean => !new RegExp(`fn ${name}\\(`).test(wgsl)
  const made = [
    lacks('level') && valueAsLevel,
    lacks('value') && lacks('value_of') && valueOfQparams,
    lacks('value') && valueOfLevel,
    lacks('levels4') && levels4OfLevel,
    lacks('load_chunk') && chunkOfLevels4,
    lacks('int8_codes') && `#if INT8_INPUT\n${int8CodesOfLevel}\n#endif`,
  ].filter((part) => part !== false)
  return { ...decoder, wgsl: [wgsl, ...made].join('\n') }
}
