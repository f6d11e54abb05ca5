/** @file Codes as the signed bytes in which torchao's plain int4 format holds them, and back. */

import {
  defineOp,
  fromArray,
  hostArray,
  zeros,
  type Op,
  type Tensor,
  normalizeDim,
} from '@ao/base-tensor'
import { packNibbles, unpackNibbles } from './nibbles.ts'

/**
 * Codes 0..15, uint8 (..., K), as signed codes in bytes: int8 (..., K / 2).
 *
 * A byte has two neighbours, the even one in its low four bits; a signed code is the code less 8.
 */
export const packInt4: Op<[codes: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.packInt4',
  takes: 't',
  reference: (codes: Tensor): Tensor => {
    const bytes = packNibbles(hostArray(codes) as Uint8Array)
    for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ 0x88 // 8 less, in both halves
    return fromArray(new Int8Array(bytes.buffer), packedShape(codes), 'int8')
  },
  meta: (codes: Tensor): Tensor => zeros(packedShape(codes), 'int8', codes.device),
})

/** The codes 0..15, uint8 (..., K), of what {@link packInt4} made. */
export const unpackInt4: Op<[qdata: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.unpackInt4',
  takes: 't',
  reference: (qdata: Tensor): Tensor => {
    const codes = unpackNibbles(hostArray(qdata) as Int8Array)
    for (let i = 0; i < codes.length; i++) codes[i] = (codes[i] as number) ^ 8
    return fromArray(codes, unpackedShape(qdata), 'uint8')
  },
  meta: (qdata: Tensor): Tensor => zeros(unpackedShape(qdata), 'uint8', qdata.device),
})

/** Shape of the bytes of codes of this shape. */
export function packedShape({ shape }: Tensor): number[] {
  return shape.with(lastDim(shape), (shape.at(-1) as number) / 2)
}

/** Shape of the codes in bytes of this shape. */
export function unpackedShape({ shape }: Tensor): number[] {
  return shape.with(lastDim(shape), 2 * (shape.at(-1) as number))
}

const lastDim = ({ length }: readonly number[]): number => normalizeDim(-1, length)
