/**
 * @file Ops on stored int4 weights, that devices bring kernels for.
 *
 * They take codes as they are stored, (N, K / 2) bytes with scales and zero points (K / g, N); the group
 * size follows from the shapes. Experts come as a leading dimension of all three parts.
 */

import { hostArray, type FillRows, type Tensor } from '@ao/base-tensor'
import {
  defineDequantize,
  defineFloat8Linear,
  defineWeightLinear,
  groupedRows,
  type DequantizeOp,
  type WeightLinearOp,
  type WeightOpsOptions,
} from '@ao/quantized-linear'
import { PACKAGE } from './layout.ts'

/** The stored parts of a weight (N, K): `qdata` (N, K / 2), `scale` and `zeroPoint` (K / g, N). */
export type Int4Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

const OPTIONS: WeightOpsOptions<Int4Weight> = {
  name: 'int4',
  packageName: PACKAGE,
  shape: ([{ shape }]) => shape.with(-1, 2 * (shape.at(-1) as number)),
  rows: decodeRows,
}

/** `code * scale + zeroPoint`, in float32 and then of `dtype`: (..., N, K). */
export const dequantizeInt4: DequantizeOp<Int4Weight> = /* @__PURE__ */ defineDequantize(OPTIONS)

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const int4Linear: WeightLinearOp<Int4Weight> = /* @__PURE__ */ defineWeightLinear(OPTIONS)

/**
 * {@link int4Linear} of an input that is rounded to float8_e4m3fn first, with a scale for each row of it:
 * `max(|x|, 1 / 512) / 448`.
 */
export const int4Float8Linear: WeightLinearOp<Int4Weight> =
  /* @__PURE__ */ defineFloat8Linear(OPTIONS)

function decodeRows([qdata, scale, zeroPoint]: Int4Weight): FillRows {
  const bytes = hostArray(qdata) as Int8Array
  const rowBytes = qdata.shape.at(-1) as number
  return groupedRows(scale, zeroPoint, rowBytes, 2, (tile, to, from, end, s, z) =>
    decodeGroup(bytes, from, end, tile, to, s, z),
  )
}

function decodeGroup(
  bytes: Int8Array,
  from: number,
  end: number,
  tile: Float32Array,
  to: number,
  scale: number,
  zeroPoint: number,
): void {
  for (; from < end; from++, to += 2) {
    const byte = bytes[from] as number
    tile[to] = Math.fround(((byte << 28) >> 28) * scale) + zeroPoint
    tile[to + 1] = Math.fround((byte >> 4) * scale) + zeroPoint
  }
}
