/**
 * @file Ops on stored weights, that devices bring kernels for.
 *
 * The arithmetic is that of tinygemm's kernels: weights are bfloat16, rounded once from code, scale and
 * zero; sums run in float32 or better. Outputs are rounded once, to the dtype of the input.
 */

import {
  addBiasThenRound,
  cast,
  defineOp,
  fromFloat32,
  hostArray,
  hostFloat32,
  linearShape,
  numelOf,
  tiledMatmulNT,
  zeros,
  type FillRows,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { PACKAGE, roundUp, TILE_COLUMNS } from './layout.ts'
import { fusedMultiplyAdd } from './rounding.ts'
import { COLUMNS_PER_WORD, lookUp, untiledShape, wordIndex } from './tiles.ts'

/** The stored parts of a weight: `qdata` (N / 8, K / 128, 32, 4), `scaleAndZero` (K / g, N, 2). */
export type Int4TiledWeight = readonly [qdata: Tensor, scaleAndZero: Tensor]

/**
 * The values of a weight, of `dtype`, without padding.
 *
 * @param shape - (N, K) or (E, N, K): what the weight stands for
 */
export const dequantizeInt4Tiles: Op<
  [weight: Int4TiledWeight, shape: readonly number[], dtype: FloatDType],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int4_tile_packed_to_4d.dequantize',
  takes: 'p<0 1>sz',
  reference: (weight: Int4TiledWeight, shape: readonly number[], dtype: FloatDType): Tensor => {
    const [n, k] = shape.slice(-2) as [number, number]
    const [paddedRows] = untiledShape(weight[0].shape).slice(-2) as [number]
    const columns = roundUp(k, TILE_COLUMNS)
    const fillRows = dequantizeRows(weight, columns)
    const values = new Float32Array(numelOf(shape))
    const row = new Float32Array(columns)
    for (let r = 0; r * k < values.length; r++) {
      fillRows(row, Math.floor(r / n) * paddedRows + (r % n), 1)
      values.set(row.subarray(0, k), r * k)
    }
    return fromFloat32(values, shape, dtype)
  },
  meta: ([qdata], shape, dtype): Tensor => zeros(shape, dtype, qdata.device),
})

/**
 * `x @ weight^T + bias` in the dtype of `x`; the input is rounded to bfloat16 first.
 *
 * `x` (..., K), `bias` (N) -> (..., N)
 *
 * @param shape - (N, K): what the weight stands for
 */
export const int4TiledLinear: Op<
  [x: Tensor, weight: Int4TiledWeight, shape: readonly number[], bias: Tensor | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int4_tile_packed_to_4d.linear',
  takes: 'tp<0 1>st?',
  budget: { nmse: 1e-5 },
  reference: (
    x: Tensor,
    weight: Int4TiledWeight,
    shape: readonly number[],
    bias: Tensor | undefined,
  ): Tensor => {
    const outShape = linearShape(x, { shape }, PACKAGE)
    const [n, k] = shape as [number, number]
    const m = numelOf(outShape.slice(0, -1))
    const columns = roundUp(k, TILE_COLUMNS)
    const input = paddedRows(asBfloat16(x), k, columns)
    const out = tiledMatmulNT(input, m, n, columns, dequantizeRows(weight, columns))
    return addBiasThenRound(out, outShape, x.dtype, bias)
  },
  meta: (x, _weight, shape): Tensor => zeros(linearShape(x, { shape }, PACKAGE), x.dtype, x.device),
})

/** The numbers of `tensor`, rounded to bfloat16. */
function asBfloat16(tensor: Tensor): Float32Array {
  return hostFloat32(cast(tensor, 'bfloat16'))
}

/** Rows of length `k` with zeros after them; `values` itself where there are none to add. */
function paddedRows(values: Float32Array, k: number, length: number): Float32Array {
  if (k === length) return values
  const padded = new Float32Array((values.length / k) * length)
  for (let row = 0; row * k < values.length; row++) {
    padded.set(values.subarray(row * k, (row + 1) * k), row * length)
  }
  return padded
}

/**
 * Fills tiles of the product with the first `columns` values of rows. Rows count padded ones; those of
 * experts follow each other.
 */
function dequantizeRows([qdata, scaleAndZero]: Int4TiledWeight, columns: number): FillRows {
  const words = hostArray(qdata) as Int32Array
  const qparams = hostFloat32(scaleAndZero)
  const [n, k] = untiledShape(qdata.shape).slice(-2) as [number, number]
  const allGroups = scaleAndZero.shape.at(-3) as number
  const groupSize = k / allGroups
  const groups = Math.ceil(columns / groupSize)
  const table = new Float32Array(groups * 16)
  return (tile, row, count) => {
    for (let r = row; r < row + count; r++) {
      const expert = Math.floor(r / n)
      for (let g = 0; g < groups; g++) {
        const at = ((expert * allGroups + g) * n + (r % n)) * 2
        fillTable(table, g * 16, qparams[at] as number, qparams[at + 1] as number)
      }
      const to = (r - row) * columns
      for (let column = 0; column < columns; column += COLUMNS_PER_WORD) {
        const values = Math.floor(column / groupSize) * 16
        lookUp(words, wordIndex(r, column, k), table, values, tile, to + column)
      }
    }
  }
}

/** The values of a group's 16 codes. */
function fillTable(table: Float32Array, offset: number, scale: number, zero: number): void {
  for (let code = 0; code < 16; code++) {
    table[offset + code] = fusedMultiplyAdd(code - 8, scale, zero)
  }
}
