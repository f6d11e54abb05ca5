/**
 * @file Ops on stored int4 weights, that devices bring kernels for.
 *
 * They take codes as they are stored, (N, K / 2) bytes with scales and zero points (K / g, N); the group
 * size follows from the shapes. Products dequantize and sum in float32, whatever the dtype of the input,
 * and round the result to it once; a bias is added after that, as torchao does.
 */

import {
  addBias,
  defineOp,
  finfo,
  fromArray,
  fromFloat32,
  fromFloat8E4m3Bits,
  hostArray,
  hostFloat32,
  numelOf,
  ShapeError,
  tiledMatmulNT,
  toFloat8E4m3Bits,
  zeros,
  type FillRows,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { packNibbles, unpackNibbles } from '@ao/quant-primitives'
import { PACKAGE } from './layout.ts'

/** The stored parts of a weight (N, K): `qdata` (N, K / 2), `scale` and `zeroPoint` (K / g, N). */
export type Int4Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

/** Codes 0..15, uint8 (..., K), as signed codes in bytes: int8 (..., K / 2). */
export const packInt4: Op<[codes: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4.pack',
  reference: (codes: Tensor): Tensor => {
    const bytes = packNibbles(hostArray(codes) as Uint8Array)
    for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ 0x88 // 8 less, in both halves
    return fromArray(new Int8Array(bytes.buffer), packedShape(codes), 'int8')
  },
  meta: (codes: Tensor): Tensor => zeros(packedShape(codes), 'int8', codes.device),
})

/** The codes 0..15, uint8 (..., K), of what {@link packInt4} made. */
export const unpackInt4: Op<[qdata: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4.unpack',
  reference: (qdata: Tensor): Tensor => {
    const codes = unpackNibbles(hostArray(qdata) as Int8Array)
    for (let i = 0; i < codes.length; i++) codes[i] = (codes[i] as number) ^ 8
    return fromArray(codes, unpackedShape(qdata), 'uint8')
  },
  meta: (qdata: Tensor): Tensor => zeros(unpackedShape(qdata), 'uint8', qdata.device),
})

function packedShape({ shape }: Tensor): number[] {
  return shape.with(-1, (shape.at(-1) as number) / 2)
}

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
    const values = hostFloat32(x).slice()
    const k = x.shape.at(-1) as number
    for (let row = 0; row < values.length; row += k) roundToFloat8(values.subarray(row, row + k))
    return product(x, values, weight, bias)
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
  const y = fromFloat32(out, shape, x.dtype)
  if (!bias) return y
  const sums = hostFloat32(y).slice()
  addBias(sums, hostFloat32(bias), n)
  return fromFloat32(sums, shape, x.dtype)
}

function emptyProduct(x: Tensor, weight: Int4Weight): Tensor {
  return zeros(productShape(x, weight), x.dtype, x.device)
}

function productShape(x: Tensor, weight: Int4Weight): number[] {
  const [n = 0, k = 0] = unpackedShape(weight[0])
  if (x.shape.at(-1) === k) return x.shape.with(-1, n)
  throw new ShapeError({
    package: PACKAGE,
    expected: `an input of shape [..., ${k}] for an int4 weight of shape [${n}, ${k}]`,
    got: `[${x.shape.join(', ')}]`,
  })
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

/** Replaces a row by what float8 makes of it, in place. */
function roundToFloat8(row: Float32Array): void {
  const { max } = finfo('float8_e4m3fn')
  let peak = 1 / 512
  for (let i = 0; i < row.length; i++) peak = Math.max(peak, Math.abs(row[i] as number))
  const scale = Math.fround(peak / max)
  for (let i = 0; i < row.length; i++) {
    const value = Math.min(Math.max(Math.fround((row[i] as number) / scale), -max), max)
    row[i] = fromFloat8E4m3Bits(toFloat8E4m3Bits(value)) * scale
  }
}
