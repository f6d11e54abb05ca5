/**
 * @file Ops on stored weights, that devices bring kernels for.
 *
 * They take words as they are stored, (N, K / 8), with scales and zero points (K / g, N); the group size
 * follows from the shapes, and the variant from the zero points. Products dequantize and sum in float32
 * or better, whatever the dtype of the input, and round the result to it.
 */

import {
  addBias,
  defineOp,
  fromFloat32,
  hostArray,
  hostFloat32,
  linearShape,
  numelOf,
  roundThenAddBias,
  tiledMatmulNT,
  zeros,
  type FillRows,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { PACKAGE, variantOf } from './layout.ts'
import { flippedBits, unpackedShape } from './pack.ts'
import type { Int4PlainInt32Weight } from './quantize.ts'

/**
 * `(code - zeroPoint) * scale`, in float32 and then of `dtype`: (..., N, K).
 *
 * Experts come as a leading dimension of all three parts.
 */
export const dequantizeInt4PlainInt32: Op<
  [weight: Int4PlainInt32Weight, dtype: FloatDType],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int4_plain_int32.dequantize',
  reference: (weight: Int4PlainInt32Weight, dtype: FloatDType): Tensor => {
    const shape = unpackedShape(weight[0])
    const k = shape.at(-1) as number
    const values = new Float32Array(numelOf(shape))
    dequantizeRows(weight, k)(values, 0, values.length / k)
    return fromFloat32(values, shape, dtype)
  },
  meta: (weight: Int4PlainInt32Weight, dtype: FloatDType): Tensor =>
    zeros(unpackedShape(weight[0]), dtype, weight[0].device),
})

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `bias` (N) -> (..., N)
 *
 * @remarks As torchao's kernels: on an XPU the product is rounded to the dtype before the bias is added,
 * on an NPU after.
 */
export const int4PlainInt32Linear: Op<
  [x: Tensor, weight: Int4PlainInt32Weight, bias: Tensor | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int4_plain_int32.linear',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, weight: Int4PlainInt32Weight, bias: Tensor | undefined): Tensor => {
    const shape = productShape(x, weight)
    const n = shape.at(-1) as number
    const k = x.shape.at(-1) as number
    const m = numelOf(shape.slice(0, -1))
    const out = tiledMatmulNT(hostFloat32(x), m, n, k, dequantizeRows(weight, k))
    if (!bias || variantOf(weight[2]) === 'xpu') return roundThenAddBias(out, shape, x.dtype, bias)
    addBias(out, hostFloat32(bias), n)
    return fromFloat32(out, shape, x.dtype)
  },
  meta: (x: Tensor, weight: Int4PlainInt32Weight): Tensor =>
    zeros(productShape(x, weight), x.dtype, x.device),
})

function productShape(x: Tensor, [qdata]: Int4PlainInt32Weight): number[] {
  return linearShape(x, { shape: unpackedShape(qdata) }, PACKAGE)
}

/** Fills tiles with dequantized rows; those of experts follow each other. */
function dequantizeRows([qdata, scale, zeroPoint]: Int4PlainInt32Weight, k: number): FillRows {
  const words = hostArray(qdata) as Int32Array
  const scales = hostFloat32(scale)
  const zeroPoints = hostFloat32(zeroPoint)
  const [groups, n] = scale.shape.slice(-2) as [number, number]
  const rowWords = k / 8
  const groupWords = rowWords / groups
  const flipped = flippedBits(variantOf(zeroPoint))
  const shift = flipped === 0 ? 0 : 8
  return (tile, row, count) => {
    let to = 0
    for (let r = row; r < row + count; r++) {
      const expert = Math.floor(r / n)
      let from = r * rowWords
      for (let g = 0; g < groups; g++) {
        const at = (expert * groups + g) * n + (r % n)
        const s = scales[at] as number
        const z = (zeroPoints[at] as number) + shift
        for (const end = from + groupWords; from < end; from++, to += 8) {
          const word = (words[from] as number) ^ flipped
          tile[to] = ((word & 15) - z) * s
          tile[to + 1] = (((word >> 4) & 15) - z) * s
          tile[to + 2] = (((word >> 8) & 15) - z) * s
          tile[to + 3] = (((word >> 12) & 15) - z) * s
          tile[to + 4] = (((word >> 16) & 15) - z) * s
          tile[to + 5] = (((word >> 20) & 15) - z) * s
          tile[to + 6] = (((word >> 24) & 15) - z) * s
          tile[to + 7] = ((word >>> 28) - z) * s
        }
      }
    }
  }
}
