/** @file Codes of four bits in int32 words of eight, and back. */

import {
  checkDType,
  defineOp,
  fromArray,
  hostArray,
  normalizeDim,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from '../errors.ts'
import { packNibbles, unpackNibbles } from './nibbles.ts'

/** Codes in an int32. */
const CODES_PER_WORD = 8

/** Codes 0..15 and codes -8..7 differ in the highest of their four bits. */
const HIGHEST_BITS = 0x88888888 | 0

/** What turns the four-bit codes of a word into 0..15, and back, by exclusive or. */
export function flippedBits(isSigned: boolean): number {
  return isSigned ? HIGHEST_BITS : 0
}

/**
 * Codes 0..15, uint8 (..., K), as words: int32 (..., K / 8), the first code in the lowest four bits. Where
 * `isSigned`, words hold the codes less 8.
 *
 * What `_convert_weight_to_int4pack` of PyTorch does on an XPU.
 *
 * @remarks Of each code, the low four bits are taken: int8 codes -8..7 are in words what they are, unless
 * `isSigned`.
 */
export const packInt4Words: Op<[codes: Tensor, isSigned: boolean], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'quantized_linear.packInt4Words',
    takes: 't.',
    reference: (codes: Tensor, isSigned: boolean): Tensor => {
      const shape = wordsShape(codes)
      const words = new Int32Array(packNibbles(hostArray(codes) as Uint8Array).buffer)
      flip(words, isSigned)
      return fromArray(words, shape, 'int32')
    },
    meta: (codes: Tensor): Tensor => zeros(wordsShape(codes), 'int32', codes.device),
  })

/** The codes 0..15, uint8 (..., K), of what {@link packInt4Words} made. */
export const unpackInt4Words: Op<[words: Tensor, isSigned: boolean], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'quantized_linear.unpackInt4Words',
    takes: 't.',
    reference: (words: Tensor, isSigned: boolean): Tensor => {
      checkDType('words', words, 'int32', '@ao/quantized-linear')
      const shape = codesShape(words)
      const own = (hostArray(words) as Int32Array).slice()
      flip(own, isSigned)
      return fromArray(unpackNibbles(new Uint8Array(own.buffer)), shape, 'uint8')
    },
    meta: (words: Tensor): Tensor => zeros(codesShape(words), 'uint8', words.device),
  })

function flip(words: Int32Array, isSigned: boolean): void {
  const flipped = flippedBits(isSigned)
  for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) ^ flipped
}

/**
 * Shape of the words of codes of this shape.
 *
 * @throws {@link ShapeError} unless rows fill whole words
 */
export function wordsShape({ shape }: Tensor): number[] {
  const last = normalizeDim(-1, shape.length)
  const words = (shape[last] as number) / CODES_PER_WORD
  if (Number.isInteger(words)) return shape.with(last, words)
  throw fail(ShapeError, `rows of a multiple of ${CODES_PER_WORD} codes`, shape)
}

/** Shape of the codes in words of this shape. */
export function codesShape({ shape }: Tensor): number[] {
  const last = normalizeDim(-1, shape.length)
  return shape.with(last, CODES_PER_WORD * (shape[last] as number))
}
