/**
 * @file The inner loops of matrix products, on typed arrays.
 *
 * Plain on purpose, and shaped for the JIT: blocks of 8 outputs live in local numbers, so each
 * loaded value is used more than once and nothing is allocated.
 */

import { ShapeError, fail } from './errors.ts'
import { takes } from './takes.ts'

/**
 * `out = a @ b^T`: `a` (M, K), `b` (N, K), `out` (M, N), all row-major.
 *
 * @remarks Sums run in double precision, over k in order, and are rounded to float32 once. Integers are
 * therefore exact: int8 codes held as float32 give the int32 sum, rounded as PyTorch casts it.
 *
 * All three are Float32Array and nothing else: engines slow down threefold where element kinds mix.
 * @throws {@link ShapeError} for arrays that are too short
 */
export function matmulNT(
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  m: number,
  n: number,
  k: number,
): void {
  takes('FFFnnn', a, b, out, m, n, k)
  checkSizes(a.length >= m * k && b.length >= n * k && out.length >= m * n, m, n, k)
  matmulColumns(a, b, out, m, n, k, 0, n)
}

/**
 * {@link matmulNT} for `count` columns of `out` from `first` on; `b` (count, K) holds their rows only.
 */
export function matmulColumns(
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  m: number,
  n: number,
  k: number,
  first: number,
  count: number,
): void {
  const evenM = m & ~1
  // Blocks compute indices in 32 bits, without a check of each sum; what is larger goes number by number.
  const inBlocks = Math.max(a.length, b.length) < 2 ** 31 ? count & ~7 : 0
  let j = 0
  for (; j < inBlocks; j += 8) {
    const column = first + j
    for (let i = 0; i < evenM; i += 2) {
      block2x4(a, i * k, b, j * k, out, i * n + column, n, k)
      block2x4(a, i * k, b, (j + 4) * k, out, i * n + column + 4, n, k)
    }
    if (evenM < m) block1x8(a, evenM * k, b, j * k, out, evenM * n + column, k)
  }
  for (; j < count; j++) {
    for (let i = 0; i < m; i++) out[i * n + first + j] = sumProducts(a, i * k, b, j * k, k)
  }
}

function checkSizes(fits: boolean, m: number, n: number, k: number): void {
  const areSizes = [m, n, k].every((size) => Number.isSafeInteger(size) && size >= 0)
  if (fits && areSizes) return
  throw fail(
    ShapeError,
    'arrays of (M, K), (N, K) and (M, N) numbers',
    `M = ${m}, N = ${n}, K = ${k}`,
  )
}

/** Writes rows `row` to `row + count` of a weight into the start of `tile`, K numbers a row. */
export type FillRows = (tile: Float32Array, row: number, count: number) => void

/** More do not fit into an array. */
const MAX_NUMBERS = 2 ** 32

/** Numbers in a tile, unless 8 rows are more: 64 KiB, which leaves room in the cache for the input. */
const TILE_SIZE = 16384

/**
 * `x @ weight^T` with a weight that is not float32 in memory: `x` (M, K), weight (N, K) -> (M, N).
 *
 * @remarks Rows of the weight go through a small float32 tile that stays in the processor's cache:
 * `fillRows` decodes or dequantizes them. The weight is never held in float32 as a whole.
 * @throws {@link ShapeError} for an `x` that is too short, and results that are too large
 */
export function tiledMatmulNT(
  x: Float32Array,
  m: number,
  n: number,
  k: number,
  fillRows: FillRows,
): Float32Array {
  takes('Fnnnf', x, m, n, k, fillRows)
  checkSizes(x.length >= m * k && m * n < MAX_NUMBERS && n * k < MAX_NUMBERS, m, n, k)
  const out = new Float32Array(m * n)
  const rows = Math.min(Math.max(Math.floor(TILE_SIZE / k) & ~7, 8), n)
  const buffer =
    spare && rows * k <= TILE_SIZE ? spare : new Float32Array(Math.max(rows * k, TILE_SIZE))
  spare = undefined
  const tile = buffer.subarray(0, rows * k)
  for (let row = 0; row < n; row += rows) {
    const count = Math.min(rows, n - row)
    fillRows(tile, row, count)
    matmulColumns(x, tile, out, m, n, k, row, count)
  }
  if (buffer.length === TILE_SIZE) spare = buffer
  return out
}

/** The tile that the last product gave back: making one takes as long as filling it. */
let spare: Float32Array | undefined

/**
 * The sum of products of `length` elements of `a` and `b` from their offsets on.
 *
 * @throws {@link ShapeError} unless both have as many
 */
export function dot(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  length: number,
): number {
  takes('FnFnn', a, aOffset, b, bOffset, length)
  if (!(
    Math.min(a.length - aOffset, b.length - bOffset) >= length &&
    aOffset >= 0 &&
    bOffset >= 0
  )) {
    throw fail(
      ShapeError,
      `${length} numbers from offsets ${aOffset} and ${bOffset} on`,
      `${a.length} and ${b.length}`,
    )
  }
  return sumProducts(a, aOffset, b, bOffset, length)
}

function sumProducts(
  a: Float32Array,
  aOffset: number,
  b: Float32Array,
  bOffset: number,
  length: number,
): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += (a[aOffset + i] as number) * (b[bOffset + i] as number)
  return sum
}

function block2x4(
  a: Float32Array,
  a0: number,
  b: Float32Array,
  b0: number,
  out: Float32Array,
  o0: number,
  n: number,
  k: number,
): void {
  const a1 = a0 + k
  const b1 = b0 + k
  const b2 = b1 + k
  const b3 = b2 + k
  let s00 = 0
  let s01 = 0
  let s02 = 0
  let s03 = 0
  let s10 = 0
  let s11 = 0
  let s12 = 0
  let s13 = 0
  for (let p = 0; p < k; p++) {
    const x0 = a[(a0 + p) | 0] as number
    const x1 = a[(a1 + p) | 0] as number
    const y0 = b[(b0 + p) | 0] as number
    const y1 = b[(b1 + p) | 0] as number
    const y2 = b[(b2 + p) | 0] as number
    const y3 = b[(b3 + p) | 0] as number
    s00 += x0 * y0
    s01 += x0 * y1
    s02 += x0 * y2
    s03 += x0 * y3
    s10 += x1 * y0
    s11 += x1 * y1
    s12 += x1 * y2
    s13 += x1 * y3
  }
  const o1 = o0 + n
  out[o0] = s00
  out[o0 + 1] = s01
  out[o0 + 2] = s02
  out[o0 + 3] = s03
  out[o1] = s10
  out[o1 + 1] = s11
  out[o1 + 2] = s12
  out[o1 + 3] = s13
}

/** A vector times 8 rows: decoding reads each weight once, and more sums in flight hide the wait. */
function block1x8(
  a: Float32Array,
  a0: number,
  b: Float32Array,
  b0: number,
  out: Float32Array,
  o0: number,
  k: number,
): void {
  const b1 = b0 + k
  const b2 = b1 + k
  const b3 = b2 + k
  const b4 = b3 + k
  const b5 = b4 + k
  const b6 = b5 + k
  const b7 = b6 + k
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let s4 = 0
  let s5 = 0
  let s6 = 0
  let s7 = 0
  for (let p = 0; p < k; p++) {
    const x = a[(a0 + p) | 0] as number
    s0 += x * (b[(b0 + p) | 0] as number)
    s1 += x * (b[(b1 + p) | 0] as number)
    s2 += x * (b[(b2 + p) | 0] as number)
    s3 += x * (b[(b3 + p) | 0] as number)
    s4 += x * (b[(b4 + p) | 0] as number)
    s5 += x * (b[(b5 + p) | 0] as number)
    s6 += x * (b[(b6 + p) | 0] as number)
    s7 += x * (b[(b7 + p) | 0] as number)
  }
  out[o0] = s0
  out[o0 + 1] = s1
  out[o0 + 2] = s2
  out[o0 + 3] = s3
  out[o0 + 4] = s4
  out[o0 + 5] = s5
  out[o0 + 6] = s6
  out[o0 + 7] = s7
}
