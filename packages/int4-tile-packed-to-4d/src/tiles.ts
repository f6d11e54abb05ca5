/** @file Codes to tiles and back; see `layout.ts` for their order. */

import {
  defineOp,
  fromArray,
  hostArray,
  zeros,
  type Op,
  type Tensor,
  checkDType,
} from '@ao/base-tensor'
import { TILE_COLUMNS, TILE_ROWS, TILE_WORDS, PACKAGE } from './layout.ts'

const LANES_PER_ROW = 4
const WORDS_PER_LANE = 4
const WORDS_PER_TILE_ROW = LANES_PER_ROW * WORDS_PER_LANE
/** Columns that a word's codes are spread over; a group is at least as long. */
export const COLUMNS_PER_WORD = 32

/**
 * Codes 0..15, uint8 (..., N, K), as tiles: int32 (..., N / 8, K / 128, 32, 4). N and K are padded sizes.
 *
 * What `_convert_weight_to_int4pack` of PyTorch does on CUDA, with 8 inner k tiles.
 */
export const packInt4Tiles: Op<[codes: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4_tile_packed_to_4d.pack',
  takes: 't',
  reference: (codes: Tensor): Tensor => {
    checkDType('codes', codes, ['uint8', 'int8'], PACKAGE)
    const source = hostArray(codes) as Uint8Array
    const words = new Int32Array(source.length / 8)
    forEachWord(source.length, codes.shape.at(-1) as number, (at, first) => {
      let word = 0
      for (let i = 0; i < 4; i++) {
        word |= (source[first + 8 * i] as number) << (4 * i)
        word |= (source[first + 8 * i + 1] as number) << (16 + 4 * i)
      }
      words[at] = word
    })
    return fromArray(words, tiledShape(codes.shape), 'int32')
  },
  meta: (codes: Tensor): Tensor => zeros(tiledShape(codes.shape), 'int32', codes.device),
})

/** The codes 0..15, uint8 (..., N, K), of tiles. */
export const unpackInt4Tiles: Op<[qdata: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4_tile_packed_to_4d.unpack',
  takes: 't',
  reference: (qdata: Tensor): Tensor => {
    const words = hostArray(qdata) as Int32Array
    const shape = untiledShape(qdata.shape)
    const codes = new Uint8Array(words.length * 8)
    forEachWord(codes.length, shape.at(-1) as number, (at, first) => {
      const word = words[at] as number
      for (let i = 0; i < 4; i++) {
        codes[first + 8 * i] = (word >> (4 * i)) & 15
        codes[first + 8 * i + 1] = (word >> (16 + 4 * i)) & 15
      }
    })
    return fromArray(codes, shape, 'uint8')
  },
  meta: (qdata: Tensor): Tensor => zeros(untiledShape(qdata.shape), 'uint8', qdata.device),
})

/** Visits the words of tiles row by row, with the place of each word's first code among all codes. */
function forEachWord(
  codeCount: number,
  k: number,
  visit: (at: number, firstCode: number) => void,
): void {
  for (let row = 0; row * k < codeCount; row++) {
    for (let column = 0; column < k; column += COLUMNS_PER_WORD) {
      const at = wordIndex(row, column, k)
      const first = row * k + column
      for (let lane = 0; lane < LANES_PER_ROW; lane++) {
        visit(at + lane * WORDS_PER_LANE, first + 2 * lane)
      }
    }
  }
}

/** Writes the 32 values of one row from `column` on to `values`, by the 16 values of their group. */
export function lookUp(
  words: Int32Array,
  firstWord: number,
  table: Float32Array,
  tableOffset: number,
  values: Float32Array,
  to: number,
): void {
  for (let lane = 0; lane < LANES_PER_ROW; lane++) {
    const word = words[firstWord + lane * WORDS_PER_LANE] as number
    const first = to + 2 * lane
    for (let i = 0; i < 4; i++) {
      const even = tableOffset + ((word >> (4 * i)) & 15)
      const odd = tableOffset + ((word >> (16 + 4 * i)) & 15)
      values[first + 8 * i] = table[even] as number
      values[first + 8 * i + 1] = table[odd] as number
    }
  }
}

/** Index of the first lane's word for the 32 codes of `row` that begin at `column`, a multiple of 32. */
export function wordIndex(row: number, column: number, k: number): number {
  const tile = Math.floor(row / TILE_ROWS) * (k / TILE_COLUMNS) + Math.floor(column / TILE_COLUMNS)
  const tileRow = tile * TILE_ROWS + (row % TILE_ROWS)
  return tileRow * WORDS_PER_TILE_ROW + (column % TILE_COLUMNS) / COLUMNS_PER_WORD
}

/** Shape of the tiles of codes (..., N, K), padded. */
export function tiledShape(shape: readonly number[]): number[] {
  const [n, k] = shape.slice(-2) as [number, number]
  return [...shape.slice(0, -2), n / TILE_ROWS, k / TILE_COLUMNS, ...TILE_WORDS]
}

/** Shape (..., N, K), padded, of tiles of this shape. */
export function untiledShape(shape: readonly number[]): number[] {
  const [rowTiles, columnTiles] = shape.slice(-4) as [number, number]
  return [...shape.slice(0, -4), rowTiles * TILE_ROWS, columnTiles * TILE_COLUMNS]
}
