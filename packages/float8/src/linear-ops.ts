/** @file The products with a stored float8 weight, as ops that devices bring kernels for. */

import {
  cast,
  defineOp,
  fromFloat8E4m3Bits,
  fromFloat8E5m2Bits,
  hostArray,
  hostFloat32,
  linearShape,
  zeros,
  type FillRows,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { checkFloat, defineWeightLinear, type WeightLinearOp } from '@ao/quantized-linear'
import { PACKAGE } from './errors.ts'
import { roundInput, type QuantizeTensorToFloat8Kwargs } from './kwargs.ts'

/** The stored parts of a weight (N, K): codes, and scales that cover blocks of it, (N / rows, K / group). */
export type Float8Weight = readonly [qdata: Tensor, scale: Tensor]

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const float8Linear: WeightLinearOp<Float8Weight> = /* @__PURE__ */ defineWeightLinear({
  name: 'float8',
  packageName: PACKAGE,
  shape: ([{ shape }]) => shape,
  rows: decodeRows,
})

/** {@link float8Linear} of an input that is rounded to float8 first. */
export const float8DynamicLinear: Op<
  [
    x: Tensor,
    weight: Float8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToFloat8Kwargs,
  ],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'float8.dynamicLinear',
  takes: 'tp<0 1>t?o<float8Dtype:z granularity:o>',
  budget: { nmse: 1e-6 },
  reference: (
    x: Tensor,
    weight: Float8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToFloat8Kwargs,
  ): Tensor => {
    const dtype = checkFloat(x)
    const rounded = x.numel === 0 ? cast(x, 'float32') : roundInput(x, activation)
    return cast(float8Linear.reference(rounded, weight, bias), dtype)
  },
  meta: (x, weight) => zeros(linearShape(x, weight[0], PACKAGE), checkFloat(x), x.device),
})

function decodeRows([qdata, scale]: Float8Weight): FillRows {
  const [n, k] = qdata.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  const codes = hostArray(qdata) as Uint8Array
  const scales = hostFloat32(scale)
  const decode = qdata.dtype === 'float8_e4m3fn' ? fromFloat8E4m3Bits : fromFloat8E5m2Bits
  const values = Float32Array.from({ length: 256 }, (_, code) => decode(code))
  const [blockRows, groupSize] = [n / rowBlocks, k / groups]
  return (tile, row, count) => {
    let to = 0
    for (let r = row; r < row + count; r++) {
      let from = r * k
      for (let g = 0; g < groups; g++) {
        const s = scales[Math.floor(r / blockRows) * groups + g] as number
        const end = to + groupSize
        if (s === 0) tile.fill(0, to, end)
        else
          for (let i = from, at = to; at < end; i++, at++)
            tile[at] = (values[codes[i] as number] as number) * s
        to = end
        from += groupSize
      }
    }
  }
}
