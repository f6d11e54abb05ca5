/** @file Codes to words and back. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { packNibbles, unpackNibbles } from '@ao/quantized-linear'
import { CODES_PER_WORD, type Int4PlainInt32Variant } from './layout.ts'

/** Codes 0..15 and codes -8..7 differ in the highest of their four bits. */
const HIGHEST_BITS = 0x88888888 | 0

/** What turns the four-bit codes of a word into 0..15, and back, by exclusive or. */
export function flippedBits(variant: Int4PlainInt32Variant): number {
  return variant === 'npu' ? HIGHEST_BITS : 0
}

/**
 * Codes 0..15, uint8 (..., K), as words: int32 (..., K / 8). The `npu` variant stores them less 8.
 *
 * What `_convert_weight_to_int4pack` of PyTorch does on an XPU.
 */
export const packInt4PlainInt32: Op<[codes: Tensor, variant: Int4PlainInt32Variant], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_plain_int32.pack',
    takes: 'tx',
    reference: (codes: Tensor, variant: Int4PlainInt32Variant): Tensor => {
      const words = new Int32Array(packNibbles(hostArray(codes) as Uint8Array).buffer)
      flip(words, variant)
      return fromArray(words, packedShape(codes), 'int32')
    },
    meta: (codes: Tensor): Tensor => zeros(packedShape(codes), 'int32', codes.device),
  })

/** The codes 0..15, uint8 (..., K), of what {@link packInt4PlainInt32} made. */
export const unpackInt4PlainInt32: Op<[qdata: Tensor, variant: Int4PlainInt32Variant], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_plain_int32.unpack',
    takes: 'tx',
    reference: (qdata: Tensor, variant: Int4PlainInt32Variant): Tensor => {
      const words = (hostArray(qdata) as Int32Array).slice()
      flip(words, variant)
      return fromArray(unpackNibbles(new Uint8Array(words.buffer)), unpackedShape(qdata), 'uint8')
    },
    meta: (qdata: Tensor): Tensor => zeros(unpackedShape(qdata), 'uint8', qdata.device),
  })

function flip(words: Int32Array, variant: Int4PlainInt32Variant): void {
  const flipped = flippedBits(variant)
  for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) ^ flipped
}

/** Shape of the words of codes of this shape. */
export function packedShape({ shape }: Tensor): number[] {
  return shape.with(-1, (shape.at(-1) as number) / CODES_PER_WORD)
}

/** Shape of the codes in words of this shape. */
export function unpackedShape({ shape }: Tensor): number[] {
  return shape.with(-1, CODES_PER_WORD * (shape.at(-1) as number))
}

/** `zeroPoint + codes`, in its dtype: from zero points of codes -8..7 to those of 0..15, and back. */
export const moveZeroPoint: Op<[zeroPoint: Tensor, codes: number], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_plain_int32.moveZeroPoint',
    reference: (zeroPoint: Tensor, codes: number): Tensor => {
      const moved = hostFloat32(zeroPoint).map((code) => code + codes)
      return fromFloat32(moved, zeroPoint.shape, zeroPoint.dtype)
    },
    meta: (zeroPoint: Tensor): Tensor => zeroPoint,
  })
