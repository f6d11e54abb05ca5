/**
 * @file Ops on stored weights, that devices bring kernels for.
 *
 * They take words as they are stored, (N, K / 8), with scales and zero points (K / g, N); the group size
 * follows from the shapes, and the variant from the zero points. Experts come as a leading dimension of
 * all three parts.
 */

import { hostArray, hostFloat32, type FillRows } from '@ao/base-tensor'
import {
  defineDequantize,
  defineWeightLinear,
  type DequantizeOp,
  type WeightLinearOp,
  type WeightOpsOptions,
} from '@ao/quantized-linear'
import { PACKAGE, variantOf } from './layout.ts'
import { flippedBits, unpackedShape } from './pack.ts'
import type { Int4PlainInt32Weight } from './quantize.ts'

const OPTIONS: WeightOpsOptions<Int4PlainInt32Weight> = {
  name: 'int4_plain_int32',
  packageName: PACKAGE,
  shape: ([qdata]) => unpackedShape(qdata),
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
  const scales = hostFloat32(scale)
  const zeroPoints = hostFloat32(zeroPoint)
  const [groups, n] = scale.shape.slice(-2) as [number, number]
  const rowWords = qdata.shape.at(-1) as number
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
