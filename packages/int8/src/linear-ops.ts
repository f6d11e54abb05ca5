/**
 * @file The products of an activation and an int8 weight, as ops that a device can bring kernels for.
 *
 * There is one op for each way to multiply. Each takes dense tensors and does all of its way in one
 * call: quantizing the activation, the sums, scales, bias. References round where torchao does, in the
 * order in which it does, so results equal torchao's to the bit where its sums are exact.
 */

import {
  defineOp,
  fromFloat32,
  hostArray,
  hostFloat32,
  linearShape,
  numelOf,
  promote,
  reshape,
  rounder,
  zeros,
  type FloatDType,
  type Op,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import type { QuantizeTensorToInt8Kwargs } from './quantize-kwargs.ts'
import { checkFloat, quantizeToInt8, type Int8Codes } from './quantize.ts'
import { tiledMatmulNT, type FillRows } from './tiled-matmul.ts'

/**
 * A weight's codes (N, K); its scales (N, 1), or (1, 1) for all rows; its zero points in the shape of
 * the scales, undefined where all are zero.
 */
export type Int8Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor | undefined]

/** A static activation's scale and, for asymmetric mapping, zero point: one element, or one a token. */
export type Int8ActivationQparams = readonly [scale: Tensor, zeroPoint: Tensor | undefined]

const shapeOnly = (x: Tensor, [qdata]: Int8Weight, dtype: StoredDType): Tensor =>
  zeros(linearShape(x, qdata), dtype, x.device)

/**
 * `x @ weight^T + bias` with a scale for each row of the weight, or one for all; in `x`'s dtype.
 *
 * `x` (..., K), `bias` (N) -> (..., N)
 *
 * @remarks The sum over codes is rounded to `x`'s dtype, and so is the scale; then they multiply.
 */
export const weightOnlyLinear: Op<
  [x: Tensor, weight: Int8Weight, bias: Tensor | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int8.weightOnlyLinear',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, weight: Int8Weight, bias: Tensor | undefined): Tensor => {
    const round = rounder(checkFloat(x))
    const shape = linearShape(x, weight[0])
    const n = weight[0].shape[0] as number
    const out = codeSums(hostFloat32(x), weight)
    const scale = perRow(weight[1], n)
    const add = bias && hostFloat32(bias)
    for (let i = 0; i < out.length; i++) {
      const row = i % n
      const y = round(round(out[i] as number) * round(scale[row] as number))
      out[i] = add ? round(y + (add[row] as number)) : y
    }
    return fromFloat32(out, shape, x.dtype)
  },
  meta: (x, weight) => shapeOnly(x, weight, x.dtype),
})

/**
 * `x @ weight^T + bias` with scales for groups along K, or any blocks; in `x`'s dtype.
 *
 * `x` (..., K), scales (N / rows, K / groupSize), `bias` (N) -> (..., N)
 *
 * @param weightDtype - what the dequantized weight is rounded to before it is rounded to `x`'s dtype
 */
export const groupwiseLinear: Op<
  [x: Tensor, weight: Int8Weight, bias: Tensor | undefined, weightDtype: FloatDType],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int8.groupwiseLinear',
  budget: { nmse: 1e-6 },
  reference: (
    x: Tensor,
    weight: Int8Weight,
    bias: Tensor | undefined,
    weightDtype: FloatDType,
  ): Tensor => {
    const dtype = checkFloat(x)
    const round = rounder(dtype)
    const shape = linearShape(x, weight[0])
    const [n, k] = weight[0].shape as [number, number]
    const fill = dequantizeRows(weight, weightDtype, dtype)
    const out = tiledMatmulNT(hostFloat32(x), numelOf(shape) / n, n, k, fill)
    if (bias) {
      const add = hostFloat32(bias)
      for (let i = 0; i < out.length; i++) out[i] = round(out[i] as number) + (add[i % n] as number)
    }
    return fromFloat32(out, shape, dtype)
  },
  meta: (x, weight) => shapeOnly(x, weight, x.dtype),
})

/**
 * `x @ weight^T + bias` with `x` quantized to int8 first, its scale chosen from its values.
 *
 * `x` (..., K), `bias` (N) -> (..., N) in `outDtype`
 */
export const dynamicLinear: Op<
  [
    x: Tensor,
    weight: Int8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    outDtype: FloatDType,
  ],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int8.dynamicLinear',
  budget: { nmse: 1e-5 },
  reference: (
    x: Tensor,
    weight: Int8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    outDtype: FloatDType,
  ): Tensor => {
    const shape = linearShape(x, weight[0])
    const codes = quantizeToInt8(asRows(x), activation)
    const isAsymmetric = activation.mappingType === 'ASYMMETRIC'
    return fromFloat32(scaledSums(codes, isAsymmetric, weight, bias, outDtype), shape, outDtype)
  },
  meta: (x, weight, _bias, _activation, outDtype) => shapeOnly(x, weight, outDtype),
})

/** {@link dynamicLinear} with a scale of `x` that was measured beforehand. */
export const staticLinear: Op<
  [
    x: Tensor,
    weight: Int8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    qparams: Int8ActivationQparams,
    outDtype: FloatDType,
  ],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int8.staticLinear',
  budget: { nmse: 1e-5 },
  reference: (
    x: Tensor,
    weight: Int8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    [scale, zeroPoint]: Int8ActivationQparams,
    outDtype: FloatDType,
  ): Tensor => {
    const shape = linearShape(x, weight[0])
    const known = { scale: asColumn(scale), zeroPoint: zeroPoint && asColumn(zeroPoint) }
    const codes = quantizeToInt8(asRows(x), { ...activation, ...known })
    const isAsymmetric = activation.mappingType === 'ASYMMETRIC'
    return fromFloat32(scaledSums(codes, isAsymmetric, weight, bias, outDtype), shape, outDtype)
  },
  meta: (x, weight, _bias, _activation, _qparams, outDtype) => shapeOnly(x, weight, outDtype),
})

// Tokens as rows (M, K), and one number for each as a column: what scales of activations refer to.
const asRows = (x: Tensor): Tensor => reshape(x, [-1, x.shape.at(-1) as number])
const asColumn = (qparam: Tensor): Tensor => reshape(qparam, [-1, 1])

/**
 * Sums of int8 products with their scales, in the steps of torchao's `int_scaled_matmul` and linear:
 * times the activation's scale, rounded to `outDtype`; times the weight's scale; bias.
 */
function scaledSums(
  x: Int8Codes,
  isAsymmetric: boolean,
  weight: Int8Weight,
  bias: Tensor | undefined,
  outDtype: FloatDType,
): Float32Array {
  const [qdata, scale] = weight
  const m = x.qdata.shape[0] as number
  const n = qdata.shape[0] as number
  // float16 cannot hold the sums, so a float16 scale multiplies them in float32.
  const scaleDtype = checkFloat(x.scale)
  const roundSum = rounder(scaleDtype === 'float16' ? 'float32' : scaleDtype)
  const roundOut = rounder(outDtype)
  const roundResult = rounder(promote(outDtype, scale.dtype) as FloatDType)

  const out = codeSums(hostFloat32(x.qdata), weight)
  const tokenScale = perRow(x.scale, m)
  const tokenZero = perRow(x.zeroPoint, m)
  const rowScale = perRow(scale, n)
  const rowSum = isAsymmetric ? sumCodes(weight) : undefined
  const add = bias && hostFloat32(bias)
  for (let i = 0; i < m; i++) {
    const s = tokenScale[i] as number
    const zero = roundSum((tokenZero[i] as number) * s)
    for (let j = 0; j < n; j++) {
      let t = roundOut(roundSum(roundSum(out[i * n + j] as number) * s))
      if (rowSum) t = roundOut(t - roundOut(roundSum(zero * roundSum(rowSum[j] as number))))
      const y = roundResult(t * (rowScale[j] as number))
      out[i * n + j] = add ? roundResult(y + (add[j] as number)) : y
    }
  }
  return out
}

/** `x @ (codes - zeroPoint)^T`: `x` (M, K) -> (M, N). */
function codeSums(x: Float32Array, [qdata, , zeroPoint]: Int8Weight): Float32Array {
  const [n, k] = qdata.shape as [number, number]
  const m = x.length / k
  const codes = hostArray(qdata) as Int8Array
  const out = tiledMatmulNT(x, m, n, k, (tile, row, count) =>
    tile.set(codes.subarray(row * k, (row + count) * k)),
  )
  const zero = zeroPoint && perRow(zeroPoint, n)
  if (!zero?.some((value) => value !== 0)) return out
  for (let i = 0; i < m; i++) {
    let sum = 0
    for (let p = 0; p < k; p++) sum += x[i * k + p] as number
    for (let j = 0; j < n; j++)
      out[i * n + j] = (out[i * n + j] as number) - (zero[j] as number) * sum
  }
  return out
}

/** The sum over K of `codes - zeroPoint`, for each of N rows. */
function sumCodes([qdata, , zeroPoint]: Int8Weight): Float32Array {
  const [n, k] = qdata.shape as [number, number]
  const codes = hostArray(qdata) as Int8Array
  const zero = zeroPoint && perRow(zeroPoint, n)
  return Float32Array.from({ length: n }, (_, row) => {
    let sum = 0
    for (let p = row * k; p < (row + 1) * k; p++) sum += codes[p] as number
    return sum - k * (zero?.[row] ?? 0)
  })
}

/** One number for each of `n` rows, from one for each block of rows. */
function perRow(qparam: Tensor, n: number): Float32Array {
  const values = hostFloat32(qparam)
  if (values.length === n) return values
  return Float32Array.from(
    { length: n },
    (_, row) => values[blockOf(row, n, values.length)] as number,
  )
}

const blockOf = (index: number, size: number, blocks: number): number =>
  Math.floor((index * blocks) / size)

/** Fills tiles with dequantized rows, rounded to the weight's dtype and then to the activation's. */
function dequantizeRows(
  [qdata, scale, zeroPoint]: Int8Weight,
  weightDtype: FloatDType,
  dtype: FloatDType,
): FillRows {
  const [n, k] = qdata.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  const codes = hostArray(qdata) as Int8Array
  const scales = hostFloat32(scale)
  const zeros = zeroPoint && hostFloat32(zeroPoint)
  const groupSize = k / groups
  const toWeight = rounder(weightDtype)
  const toInput = rounder(dtype)
  const isFloat32 = weightDtype === 'float32' && dtype === 'float32'
  return (tile, row, count) => {
    for (let at = 0; at < count * k; at += groupSize) {
      const index = row * k + at
      const block = blockOf(Math.floor(index / k), n, rowBlocks) * groups + (index % k) / groupSize
      const s = scales[block] as number
      const z = zeros ? (zeros[block] as number) : 0
      for (let i = 0; i < groupSize; i++) {
        const value = ((codes[index + i] as number) - z) * s
        tile[at + i] = isFloat32 ? value : toInput(toWeight(value))
      }
    }
  }
}
