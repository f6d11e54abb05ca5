/**
 * @file A matrix product with weights that are not float32 in memory.
 *
 * Rows of the weight go through a small float32 tile that stays in the processor's cache: int8 codes by
 * a plain copy, groups by dequantizing. The weight is never held in float32 as a whole, and the inner
 * loops see Float32Array only. Sums run in double precision over k in order, so those of int8 codes are
 * exact, and rounding them to float32 is the rounding of PyTorch's cast from int32.
 */

import { matmulNT } from '@ao/base-tensor'

/** Writes rows `row` to `row + count` of the weight into the start of `tile`, K numbers a row. */
export type FillRows = (tile: Float32Array, row: number, count: number) => void

const VECTOR_ROWS = 8 // rows that `dot8` takes at once
const MATRIX_ROWS = 32 // few enough that a tile stays in cache, many enough to make it worth filling

/** `x @ weight^T`: `x` (M, K), weight (N, K) by rows from `fillRows` -> (M, N). */
export function tiledMatmulNT(
  x: Float32Array,
  m: number,
  n: number,
  k: number,
  fillRows: FillRows,
): Float32Array {
  const out = new Float32Array(m * n)
  const rows = m === 1 ? VECTOR_ROWS : MATRIX_ROWS
  const tile = new Float32Array(Math.min(rows, n) * k)
  const tileOut = new Float32Array(m * rows)
  for (let row = 0; row < n; row += rows) {
    const count = Math.min(rows, n - row)
    fillRows(tile, row, count)
    if (m === 1 && count === VECTOR_ROWS) {
      dot8(x, tile, out, row, k)
    } else {
      matmulNT(x, tile, tileOut, m, count, k)
      for (let i = 0; i < m; i++) {
        out.set(tileOut.subarray(i * count, (i + 1) * count), i * n + row)
      }
    }
  }
  return out
}

/** The dot products of `x` with the 8 rows of `tile`. */
function dot8(
  x: Float32Array,
  tile: Float32Array,
  out: Float32Array,
  outOffset: number,
  k: number,
): void {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let s4 = 0
  let s5 = 0
  let s6 = 0
  let s7 = 0
  for (let p = 0; p < k; p++) {
    const value = x[p] as number
    s0 += value * (tile[p] as number)
    s1 += value * (tile[p + k] as number)
    s2 += value * (tile[p + 2 * k] as number)
    s3 += value * (tile[p + 3 * k] as number)
    s4 += value * (tile[p + 4 * k] as number)
    s5 += value * (tile[p + 5 * k] as number)
    s6 += value * (tile[p + 6 * k] as number)
    s7 += value * (tile[p + 7 * k] as number)
  }
  out[outOffset] = s0
  out[outOffset + 1] = s1
  out[outOffset + 2] = s2
  out[outOffset + 3] = s3
  out[outOffset + 4] = s4
  out[outOffset + 5] = s5
  out[outOffset + 6] = s6
  out[outOffset + 7] = s7
}
