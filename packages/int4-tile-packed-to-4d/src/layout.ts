/**
 * @file What an int4 weight in tiles is made of.
 *
 * A weight (N, K) is padded with zeros, K to a multiple of 1024 and N to one of 8, and then quantized in
 * groups of g neighbours along K, with codes 0..15:
 *
 *     value = (code - 8) * scale + zero
 *
 * Codes lie in tiles of 8 rows by 128 columns, in the order in which the lanes of a GPU's warp multiply
 * them, as tinygemm's kernels expect. Word c of lane t of tile (a, b) holds eight codes of one row,
 * n = 8a + floor(t / 4), around k = 128b + 32c + 2 (t mod 4):
 *
 *     qdata (N / 8, K / 128, 32, 4), indexed [a, b, t, c]
 *
 *     bits of a word   31-28   27-24   23-20   19-16   15-12   11-8    7-4     3-0
 *     code [n, ...]    k + 25  k + 17  k + 9   k + 1   k + 24  k + 16  k + 8   k
 *
 *     scaleAndZero (K / g, N, 2), the scale first; both for padded sizes
 *
 * Experts (E, N, K) are padded and tiled one by one: both tensors then have E in front.
 */

import {
  checkDType,
  checkPreScale,
  checkShape,
  errorsOf,
  ShapeError,
  ValueError,
  type DenseTensor,
  type ErrorMaker,
} from '@ao/base-tensor'

export const PACKAGE = '@ao/int4-tile-packed-to-4d'

export const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

/** Rows of a tile. */
export const TILE_ROWS = 8
/** Columns of a tile. */
export const TILE_COLUMNS = 128
/** Lanes of a warp, and words of a lane: the inner sizes of a tile. */
export const TILE_WORDS = [32, 4] as const
/** K is padded to a multiple of this. */
export const K_MULTIPLE = 1024
/** The groups that kernels take. */
export const GROUP_SIZES: readonly number[] = [32, 64, 128, 256]

/** The inner tensors and attributes of an {@link Int4TilePackedTo4dTensor}. */
export interface Int4TilePackedTo4dFields {
  /** int32: eight codes a word, in tiles, see above. */
  readonly qdata: DenseTensor
  /** bfloat16: the scale of each group, and the value of its code 8. */
  readonly scaleAndZero: DenseTensor
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** Shape of the weight that this stands for, without padding. */
  readonly shape: readonly number[]
  /** What the input is multiplied by first, (K): of AWQ and SmoothQuant. */
  readonly actPreScale?: DenseTensor | undefined
}

/** `size` rounded up to a multiple. */
export function roundUp(size: number, multiple: number): number {
  return Math.ceil(size / multiple) * multiple
}

/** @throws {@link ValueError} unless `blockSize` is ones and a group of a size that kernels take */
export function checkBlockSize(shape: readonly number[], blockSize: readonly number[]): void {
  const hasOnes = blockSize.slice(0, -1).every((size) => size === 1)
  const hasGroup = GROUP_SIZES.includes(blockSize.at(-1) ?? 0)
  if (blockSize.length === shape.length && hasOnes && hasGroup) return
  const expected = 'a block size of ones and a group of 32, 64, 128 or 256'
  const got = `[${blockSize.join(', ')}]`
  throw fail(ValueError, `${expected}, for shape [${shape.join(', ')}]`, got)
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int4TilePackedTo4dFields): void {
  const { qdata, scaleAndZero, blockSize, shape } = fields
  checkDType('qdata', qdata, 'int32', PACKAGE)
  checkDType('scaleAndZero', scaleAndZero, 'bfloat16', PACKAGE)
  checkRank(shape)
  checkBlockSize(shape, blockSize)
  const [n, k] = shape.slice(-2) as [number, number]
  const experts = shape.slice(0, -2)
  // Tiles have 8 rows; a weight that was padded for tiles of 16 has an even number of them.
  const evenTiles = roundUp(n, 2 * TILE_ROWS) / TILE_ROWS
  const isEven = qdata.shape.at(-4) === evenTiles
  const rowTiles = isEven ? evenTiles : Math.ceil(n / TILE_ROWS)
  const columns = roundUp(k, K_MULTIPLE)
  checkShape('qdata', qdata, [...experts, rowTiles, columns / TILE_COLUMNS, ...TILE_WORDS], PACKAGE)
  const groups = columns / (blockSize.at(-1) as number)
  checkShape('scaleAndZero', scaleAndZero, [...experts, groups, rowTiles * TILE_ROWS, 2], PACKAGE)
  checkPreScale(fields.actPreScale, [k], PACKAGE)
}

/** @throws {@link ShapeError} unless `shape` is (N, K) or (E, N, K) */
function checkRank(shape: readonly number[]): void {
  if (shape.length === 2 || shape.length === 3) return
  throw fail(ShapeError, 'a weight (N, K) or (E, N, K)', `[${shape.join(', ')}]`)
}
