/**
 * @file Ops on stored weights, that devices bring kernels for.
 *
 * They take words as they are stored, (N, K / 8), with scales and zero points (K / g, N); the group size
 * follows from the shapes, and the variant from the zero points. Experts come as a leading dimension of
 * all three parts.
 */

import { hostArray, type FillRows, type Tensor } from '@ao/base-tensor'
import {
  defineDequantize,
  defineWeightLinear,
  flippedBits,
  groupedRows,
  type DequantizeOp,
  type WeightLinearOp,
  type WeightOpsOptions,
} from '@ao/quantized-linear'
import { CODES_PER_WORD, PACKAGE, variantOf } from './layout.ts'

/** The stored parts of a weight (N, K): `qdata` (N, K / 8), `scale` and `zeroPoint` (K / g, N). */
export type Int4PlainInt32Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

const OPTIONS: WeightOpsOptions<Int4PlainInt32Weight> = {
  name: 'int4_plain_int32',
  packageName: PACKAGE,
  shape: ([{ shape }]) => shape.with(-1, CODES_PER_WORD * (shape.at(-1) as number)),
  rows: decodeRows,
}

/** `(code - zeroPoint) * scale`, in float32 and then of `dtype`: (..., N, K). */
export const dequantizeInt4PlainInt32: DequantizeOp<Int4PlainInt32Weight> =
  /* @__PURE__ */ defineDequantize(OPTIONS)

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const int4PlainInt32Linear: WeightLinearOp<Int4PlainInt32Weight> =
  /* @__PURE__ */ defineWeightLinear(OPTIONS)

function decodeRows([qdata, scale, zeroPoint]: Int4PlainInt32Weight): FillRows {
  const words = hostArray(qdata) as Int32Array
  const isSigned = variantOf(zeroPoint) === 'npu'
  const flipped = flippedBits(isSigned)
  const shift = isSigned ? 8 : 0
  const rowWords = qdata.shape.at(-1) as number
  return groupedRows(scale, zeroPoint, rowWords, CODES_PER_WORD, (tile, to, from, end, s, zero) => {
    const z = zero + shift
    for (; from < end; from++, to += 8) {
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
  })
}
