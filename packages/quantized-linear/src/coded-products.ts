/**
 * @file The sums behind products with coded weights, and the steps after them, on float32 arrays.
 *
 * Each step after the sums is one operation, whose results float32 arrays round.
 */

import {
  addBias,
  hostArray,
  hostFloat32,
  roundArray,
  ShapeError,
  takes,
  tiledMatmulNT,
  type FillRows,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import type { Int8Codes } from './int8-codes.ts'

/**
 * A weight's codes (N, K) as int8, its scales, and its zero points in the shape of the scales, undefined
 * where all are zero. Scales are one a block: (N, 1) a row, (1, 1) for all, (N, K / g) a group.
 */
export type CodedWeight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor | undefined]

/** [M, N, K] of `x` (M, K) and a weight (N, K). Of no columns, M is 0: the numbers do not tell it. */
function sizesOf(x: Float32Array, weight: CodedWeight): [m: number, n: number, k: number] {
  takes('Fp<0:t 1:t>', x, weight)
  const [qdata, scale, zeroPoint] = weight
  const [n = 0, k = 0] = qdata.shape
  const fits =
    qdata.ndim === 2 &&
    qdata.dtype === 'int8' &&
    scale.ndim === 2 &&
    (k === 0 || x.length % k === 0)
  const [rows = 0, groups = 0] = scale.shape
  const areBlocks = n % rows === 0 && k % groups === 0 && (zeroPoint ?? scale).numel === scale.numel
  if (fits && (areBlocks || n * k === 0)) return [k === 0 ? 0 : x.length / k, n, k]
  const shapes = weight.map((part) => part && `${part.dtype} [${part.shape.join(', ')}]`)
  throw fail(
    ShapeError,
    `codes (N, K) of int8, scales and zero points of their blocks, for ${x.length} numbers`,
    shapes.join(', '),
  )
}

/** `x @ (codes - zeroPoint)^T`: `x` (M, K) -> (M, N). One zero point a row, or for all. */
export function codeSums(x: Float32Array, weight: CodedWeight): Float32Array {
  const [m, n, k] = sizesOf(x, weight)
  const [qdata, , zeroPoint] = weight
  const codes = hostArray(qdata) as Int8Array
  const out = tiledMatmulNT(x, m, n, k, (tile, row, count) =>
    tile.set(codes.subarray(row * k, (row + count) * k)),
  )
  const zero = zeroPoint && perRow(zeroPoint, n)
  if (!zero?.some((value) => value !== 0)) return out
  for (let i = 0; i < m; i++) {
    let sum = 0
    for (let p = 0; p < k; p++) sum += x[i * k + p] as number
    for (let j = 0; j < n; j++) {
      out[i * n + j] = (out[i * n + j] as number) - (zero[j] as number) * sum
    }
  }
  return out
}

/** `x @ weight^T` with the dequantized weight, rounded to `dtype`. */
export function weightSums(x: Float32Array, weight: CodedWeight, dtype: FloatDType): Float32Array {
  const [m, n, k] = sizesOf(x, weight)
  const dequantize = dequantizeRows(weight)
  return tiledMatmulNT(x, m, n, k, (tile, row, count) => {
    dequantize(tile, row, count)
    roundArray(tile, dtype)
  })
}

/** The sum over K of `codes - zeroPoint`, for each of N rows. */
function sumCodes([qdata, , zeroPoint]: CodedWeight): Float32Array {
  const [n, k] = qdata.shape as [number, number]
  const codes = hostArray(qdata) as Int8Array
  const zero = zeroPoint && perRow(zeroPoint, n)
  const out = new Float32Array(n)
  for (let row = 0; row < n; row++) {
    out[row] = sumRange(codes, row * k, (row + 1) * k) - k * (zero?.[row] ?? 0)
  }
  return out
}

function sumRange(codes: Int8Array, start: number, end: number): number {
  let sum = 0
  for (let p = start; p < end; p++) sum = (sum + (codes[p] as number)) | 0
  return sum
}

/**
 * One number for each of `n` rows, from one for each block of rows. Do not write into the result.
 *
 * @throws {@link ShapeError} unless `n` is a multiple of the blocks
 */
export function perRow(qparam: Tensor, n: number): Float32Array {
  takes('tn', qparam, n)
  const values = hostFloat32(qparam)
  if (values.length === n) return values
  const blocks = values.length
  if (!Number.isSafeInteger(n / blocks) || n >= 2 ** 32) {
    throw fail(ShapeError, `numbers for blocks of ${n} rows`, blocks)
  }
  return Float32Array.from({ length: n }, (_, row) => values[blockOf(row, n, blocks)] as number)
}

function blockOf(index: number, size: number, blocks: number): number {
  return Math.floor((index * blocks) / size)
}

/** Fills tiles with dequantized rows, in float32. */
function dequantizeRows([qdata, scale, zeroPoint]: CodedWeight): FillRows {
  const [n, k] = qdata.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  const codes = hostArray(qdata) as Int8Array
  const scales = hostFloat32(scale)
  const zeros = zeroPoint && hostFloat32(zeroPoint)
  const groupSize = k / groups
  return (tile, row, count) => {
    for (let at = 0; at < count * k; at += groupSize) {
      const index = row * k + at
      const block = blockOf(Math.floor(index / k), n, rowBlocks) * groups + (index % k) / groupSize
      const zero = zeros ? (zeros[block] as number) : 0
      dequantizeRun(codes, index, groupSize, zero, scales[block] as number, tile, at)
    }
  }
}

function dequantizeRun(
  codes: Int8Array,
  index: number,
  length: number,
  zero: number,
  scale: number,
  out: Float32Array,
  at: number,
): void {
  for (let i = 0; i < length; i++) out[at + i] = ((codes[index + i] as number) - zero) * scale
}

/** `out[i, j] *= factors[i]`: `out` (M, N), `factors` (M). */
function multiplyRows(out: Float32Array, factors: Float32Array): void {
  const n = out.length / factors.length
  for (let i = 0; i < factors.length; i++) {
    const factor = factors[i] as number
    for (let at = i * n; at < (i + 1) * n; at++) out[at] = (out[at] as number) * factor
  }
}

/**
 * `out[i, j] *= factors[j]`: `out` (M, N), `factors` (N).
 *
 * @throws {@link ShapeError} unless `out` has whole rows
 */
export function multiplyColumns(out: Float32Array, factors: Float32Array): void {
  takes('FF', out, factors)
  const n = factors.length
  if (out.length % n > 0 || (n === 0 && out.length > 0)) {
    throw fail(ShapeError, `whole rows of ${n} numbers`, out.length)
  }
  for (let row = 0; row < out.length; row += n) {
    for (let j = 0; j < n; j++) out[row + j] = (out[row + j] as number) * (factors[j] as number)
  }
}

/** Sums of int8 products, times the activation's scale and the weight's, plus the bias: in float32. */
export function scaledSums(
  x: Int8Codes,
  isAsymmetric: boolean,
  weight: CodedWeight,
  bias: Tensor | undefined,
): Float32Array {
  takes('o<qdata:t scale:t zeroPoint:t>.p<0:t 1:t>t?', x, isAsymmetric, weight, bias)
  const [qdata, scale] = weight
  const m = x.qdata.shape[0] as number
  const n = qdata.shape[0] as number
  const out = codeSums(hostFloat32(x.qdata), weight)
  const tokenScale = perRow(x.scale, m)
  multiplyRows(out, tokenScale)
  if (isAsymmetric) {
    subtractZeroPoints(out, tokenScale, perRow(x.zeroPoint, m), sumCodes(weight))
  }
  multiplyColumns(out, perRow(scale, n))
  if (bias) addBias(out, hostFloat32(bias), n)
  return out
}

/** Takes what the activation's zero points add to each sum off again: zero point x scale x row sum. */
function subtractZeroPoints(
  out: Float32Array,
  tokenScale: Float32Array,
  tokenZero: Float32Array,
  rowSum: Float32Array,
): void {
  const n = rowSum.length
  for (let i = 0; i < tokenScale.length; i++) {
    const zero = Math.fround((tokenZero[i] as number) * (tokenScale[i] as number))
    for (let j = 0; j < n; j++) {
      const correction = Math.fround(zero * (rowSum[j] as number))
      out[i * n + j] = (out[i * n + j] as number) - correction
    }
  }
}
