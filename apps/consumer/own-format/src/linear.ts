/** @file Ops on a ternary weight as it is stored. */

import { addBias, checkBias, defineOp, fromFloat32, hostArray, hostFloat32 } from '@ao/base-tensor'
import { linearShape, numelOf, tiledMatmulNT, zeros } from '@ao/base-tensor'
import type { FillRows, Op, StoredDType, Tensor } from '@ao/base-tensor'
import { CODES, type TernaryWeight } from './quantize.ts'

/** How messages begin. */
export const PACKAGE = 'ternary-tensor'

/** The values (N, K), in `dtype`. */
export const dequantizeTernary: Op<[weight: TernaryWeight, dtype: StoredDType], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'ternary.dequantize',
    reference: (weight: TernaryWeight, dtype: StoredDType): Tensor => {
      const [n, k] = shapeOf(weight)
      const values = new Float32Array(n * k)
      fillRows(weight)(values, 0, n)
      return fromFloat32(values, [n, k], dtype)
    },
    meta: (weight: TernaryWeight, dtype: StoredDType): Tensor =>
      zeros(shapeOf(weight), dtype, weight[0].device),
  })

/** `x @ weight^T + bias`: `x` (..., K), `bias` (N) -> (..., N), in the dtype of `x`. */
export const ternaryLinear: Op<
  [x: Tensor, weight: TernaryWeight, bias: Tensor | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'ternary.linear',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, weight: TernaryWeight, bias: Tensor | undefined): Tensor => {
    const shape = productShape(x, weight, bias)
    const [n, k] = shapeOf(weight)
    const m = numelOf(shape) / n
    const out = tiledMatmulNT(hostFloat32(x), m, n, k, fillRows(weight))
    if (bias) addBias(out, hostFloat32(bias), n)
    return fromFloat32(out, shape, x.dtype)
  },
  meta: (x: Tensor, weight: TernaryWeight, bias: Tensor | undefined): Tensor =>
    zeros(productShape(x, weight, bias), x.dtype, x.device),
})

/** The shape of the product; throws where sizes do not fit. */
export function productShape(x: Tensor, weight: TernaryWeight, bias: Tensor | undefined): number[] {
  const shape = shapeOf(weight)
  checkBias(bias, shape[0], PACKAGE)
  return linearShape(x, { shape }, PACKAGE)
}

function shapeOf([qdata]: TernaryWeight): [number, number] {
  const [n, words] = qdata.shape as [number, number]
  return [n, CODES * words]
}

function fillRows([qdata, scale]: TernaryWeight): FillRows {
  const words = hostArray(qdata) as Int32Array
  const scales = hostFloat32(scale)
  const rowWords = qdata.shape[1] as number
  const groups = scale.shape[1] as number
  const groupWords = rowWords / groups
  return (tile, first, count) => {
    let to = 0
    for (let group = first * groups; group < (first + count) * groups; group++) {
      const value = scales[group] as number
      for (let w = group * groupWords; w < (group + 1) * groupWords; w++) {
        const word = words[w] as number
        for (let bit = 0; bit < 32; bit += 2) tile[to++] = (((word >> bit) & 3) - 1) * value
      }
    }
  }
}
