/**
 * @file Ops on stored int4 weights, that devices bring kernels for.
 *
 * They take codes as they are stored, (N, K / 2) bytes with scales and zero points (K / g, N); the group
 * size follows from the shapes. Products dequantize and sum in float32, whatever the dtype of the input,
 * and round the result to it once; a bias is added after that, as torchao does.
 */

import {
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
import { fakeQuantizeFp8Row } from '@ao/quant-primitives'
import { PACKAGE } from './layout.ts'

/** The stored parts of a weight (N, K): `qdata` (N, K / 2), `scale` and `zeroPoint` (K / g, N). */
export type Int4Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

function unpackedShape({ shape }: Tensor): number[] {
  return shape.with(-1, 2 * (shape.at(-1) as number))
}

/**
 * `code * scale + zeroPoint`, in float32 and then of `dtype`: (..., N, K).
 *
 * Experts come as a leading dimension of all three parts.
 */
export const dequantizeInt4: Op<[weight: Int4Weight, dtype: FloatDType], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4.dequantize',
    reference: (weight: Int4Weight, dtype: FloatDType): Tensor => {
      const shape = unpackedShape(weight[0])
      const k = shape.at(-1) as number
      const values = new Float32Array(numelOf(shape))
      dequantizeRows(weight, k)(values, 0, values.length / k)
      return fromFloat32(values, shape, dtype)
    },
    meta: (weight: Int4Weight, dtype: FloatDType): Tensor =>
      zeros(unpackedShape(weight[0]), dtype, weight[0].device),
  })

type LinearArgs = [x: Tensor, weight: Int4Weight, bias: Tensor | undefined]

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `bias` (N) -> (..., N)
 */
export const int4Linear: Op<LinearArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4.linear',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, weight: Int4Weight, bias: Tensor | undefined): Tensor =>
    product(x, hostFloat32(x), weight, bias),
  meta: emptyProduct,
})

/**
 * {@link int4Linear} of an input that is rounded to float8_e4m3fn first, with a scale for each row of it:
 * `max(|x|, 1 / 512) / 448`.
 */
export const int4Float8Linear: Op<LinearArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4.float8Linear',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, weight: Int4Weight, bias: Tensor | undefined): Tensor => {
    const rounded = fakeQuantizeFp8Row(hostFloat32(x), x.shape.at(-1) as number)
    return product(x, rounded, weight, bias)
  },
  meta: emptyProduct,
})

function product(
  x: Tensor,
  values: Float32Array,
  weight: Int4Weight,
  bias: Tensor | undefined,
): Tensor {
  const shape = productShape(x, weight)
  const n = shape.at(-1) as number
  const k = x.shape.at(-1) as number
  const out = tiledMatmulNT(values, numelOf(shape) / n, n, k, dequantizeRows(weight, k))
  return roundThenAddBias(out, shape, x.dtype, bias)
}

function emptyProduct(x: Tensor, weight: Int4Weight): Tensor {
  return zeros(productShape(x, weight), x.dtype, x.device)
}

function productShape(x: Tensor, [qdata]: Int4Weight): number[] {
  return linearShape(x, { shape: unpackedShape(qdata) }, PACKAGE)
}

/** Fills tiles with dequantized rows; those of experts follow each other. */
function dequantizeRows([qdata, scale, zeroPoint]: Int4Weight, k: number): FillRows {
  const bytes = hostArray(qdata) as Int8Array
  const scales = hostFloat32(scale)
  const zeroPoints = hostFloat32(zeroPoint)
  const [groups, n] = scale.shape.slice(-2) as [number, number]
  const groupBytes = k / groups / 2
  return (tile, row, count) => {
    let to = 0
    for (let r = row; r < row + count; r++) {
      const expert = Math.floor(r / n)
      let from = (r * k) / 2
      for (let g = 0; g < groups; g++) {
        const at = (expert * groups + g) * n + (r % n)
        const s = scales[at] as number
        const z = zeroPoints[at] as number
        for (const end = from + groupBytes; from < end; from++, to += 2) {
          const byte = bytes[from] as number
          tile[to] = Math.fround(((byte << 28) >> 28) * s) + z
          tile[to + 1] = Math.fround((byte >> 4) * s) + z
        }
      }
    }
  }
}
