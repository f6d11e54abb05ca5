/** @file Decoders of codes of four bits in words of eight, as all int4 formats of torchao have them. */

import { takes, ValueError } from '@ao/base-tensor'
import { fail } from '../errors.ts'
import { startWgsl } from './decoder-wgsl.ts'
import type { WeightDecoder } from './decoder.ts'
import { weightDecoder } from './weight-decoder.ts'
import { numbersWgsl, wgsl, type ProgramMaker } from '@ao/kernels-webgpu'
import codes from './wgsl/codes.wgsl'
import int8Codes from './wgsl/decode/int4-int8.wgsl'
import gemvHalf2 from './wgsl/decode/int4-gemv-half2.wgsl'
import half2 from './wgsl/decode/int4-half2.wgsl'
import matrix from './wgsl/decode/int4-matrix.wgsl'
import words from './wgsl/decode/int4-words.wgsl'
import levels from './wgsl/decode/int4.wgsl'
import pack from './wgsl/pack.wgsl'
import unpack from './wgsl/unpack.wgsl'
import nibblesGemv from './wgsl/int8-nibbles-gemv.wgsl'
import reduce from './wgsl/reduce.wgsl'

/**
 * Which codes of a chunk of 32 word i of its four holds; nibble j, from the lowest, is k =
 *
 * - `sequential`: 8 i + j
 * - `neighbours`: 8 i + 2 (j mod 4) + floor(j / 4)
 * - `spread`: 2 i + 8 (j mod 4) + floor(j / 4)
 */
export type Int4Order = 'sequential' | 'neighbours' | 'spread'

const STEPS = {
  sequential: [8, 1, 4],
  neighbours: [8, 2, 1],
  spread: [2, 8, 1],
} as const

/** Where a format's codes, scales and zero points lie. */
export interface Int4DecoderOptions {
  /** For names of kernels: `int4`. */
  readonly name: string
  readonly order: Int4Order
  /**
   * `fn word_index(row: u32, chunk: u32, i: u32) -> u32`: the index of word i of a chunk among all words, for
   * layouts whose chunks do not lie one after the other, row by row.
   */
  readonly wordIndex?: string
  /** Whether words of codes lie beyond K, where chunks do not divide it. */
  readonly readsPastK?: boolean
  /** {@link WeightDecoder.parts}. */
  readonly parts: readonly string[]
  /** `qparams`, and `value_of` where it is not made of that. Levels are code - 8. */
  readonly wgsl: string
}

/** A decoder of int4 weights, with the programs that pack their codes. */
export interface Int4Decoder extends WeightDecoder {
  readonly pack: ProgramMaker
  readonly unpack: ProgramMaker
}

/** Defines of weights whose codes are -8..7, in two's complement. */
export const SIGNED_CODES = { SIGNED: true } as const

/** The decoder of an int4 format. */
/* @__NO_SIDE_EFFECTS__ */
export function int4Decoder(options: Int4DecoderOptions): Int4Decoder {
  takes('o<name:x parts:l wgsl:x>', options)
  const { name, order, wordIndex = '', readsPastK = false, parts, wgsl: own } = options
  if (!Object.hasOwn(STEPS, order)) {
    throw fail(ValueError, `an order of ${Object.keys(STEPS).join(', ')}`, order)
  }
  const [wordStep, nibbleStep, halfStep] = STEPS[order]
  const items = { leftNumbers: 8, rightRows: 4, rightNumbers: 8, fours: true, slots: 4 }
  const start = [numbersWgsl, startWgsl, wordIndex]
  return weightDecoder({
    name,
    chunk: 32,
    readsPastK,
    parts,
    wgsl: [wordIndex, words, levels, order === 'sequential' ? int8Codes : '', own].join('\n'),
    defines: { ORDER: order, HAS_WORD_INDEX: wordIndex !== '' },
    codesType: ({ groupSize }) => (groupSize % 32 === 0 && !wordIndex ? 'vec4u' : 'u32'),
    isOffset: true,
    ...(order === 'sequential' && { int8Gemv: [reduce, nibblesGemv].join('\n') }),
    steps: STEPS[order],
    half: [half2, gemvHalf2].join('\n'),
    matrix: {
      wgsl: [half2, matrix].join('\n'),
      items: { ...items, slotStep: wordStep, twosStep: nibbleStep, side: halfStep },
    },
    pack: wgsl(`${name} pack`, [...start, pack].join('\n')),
    unpack: wgsl(`${name} unpack`, [...start, codes, words, unpack].join('\n')),
  })
}
