/**
 * @file A matrix product with weights that are not float32 in memory.
 *
 * Rows of the weight go through a small float32 tile that stays in the processor's cache: int8 codes by
 * a plain copy, groups by dequantizing. The weight is never held in float32 as a whole, and the inner
 * loops see Float32Array only. Sums run in double precision over k in order, so those of int8 codes are
 * exact, and rounding them to float32 is the rounding of PyTorch's cast from int32.
 */

import { dot, matmulNT } from '@ao/base-tensor'

/** Writes rows `row` to `row + count` of the weight into the start of `tile`, K numbers a row. */
export type FillRows = (tile: Float32Array, row: number, count: number) => void

/** Numbers in a tile, unless 8 rows are more: 64 KiB, which leaves room in the cache for the input. */
const TILE_SIZE = 16384

/** `x @ weight^T`: `x` (M, K), weight (N, K) by rows from `fillRows` -> (M, N). */
export function tiledMatmulNT(
  x: Float32Array,
  m: number,
  n: number,
  k: number,
  fillRows: FillRows,
): Float32Array {
  const out = new Float32Array(m * n)
  const rows = Math.min(Math.max(Math.floor(TILE_SIZE / k) & ~7, 8), n)
  const tile = new Float32Array(rows * k)
  const tileOut = new Float32Array(m * rows)
  for (let row = 0; row < n; row += rows) {
    const count = Math.min(rows, n - row)
    fillRows(tile, row, count)
    if (m === 1) matvec(x, tile, tileOut, count, k)
    else matmulNT(x, tile, tileOut, m, count, k)
    for (let i = 0; i < m; i++) {
      out.set(tileOut.subarray(i * count, (i + 1) * count), i * n + row)
    }
  }
  return out
}

/** {@link matmulNT} for one row of `x`, which takes the weight by 8 rows. */
function matvec(
  x: Float32Array,
  weight: Float32Array,
  out: Float32Array,
  n: number,
  k: number,
): void {
  const full = n & ~7
  for (let row = 0; row < full; row += 8) dot8(x, weight, row * k, out, row, k)
  for (let row = full; row < n; row++) out[row] = dot(x, 0, weight, row * k, k)
}

/** The dot products of `x` with 8 rows of `weight`. */
function dot8(
  x: Float32Array,
  weight: Float32Array,
  offset: number,
  out: Float32Array,
  outOffset: number,
  k: number,
): void {
  const w0 = offset
  const w1 = w0 + k
  const w2 = w1 + k
  const w3 = w2 + k
  const w4 = w3 + k
  const w5 = w4 + k
  const w6 = w5 + k
  const w7 = w6 + k
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
    s0 += value * (weight[w0 + p] as number)
    s1 += value * (weight[w1 + p] as number)
    s2 += value * (weight[w2 + p] as number)
    s3 += value * (weight[w3 + p] as number)
    s4 += value * (weight[w4 + p] as number)
    s5 += value * (weight[w5 + p] as number)
    s6 += value * (weight[w6 + p] as number)
    s7 += value * (weight[w7 + p] as number)
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
