/** @file Codes to pieces and back: the order that `layout.ts` describes. */

import {
  defineOp,
  fromArray,
  hostArray,
  numelOf,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { bandsOf, LANE_CODES, LANE_WORDS, pieceAt, TILE_ROWS } from './layout.ts'

/** Codes 0..15, uint8 (..., N, K), as int32 words (..., bands, K / 8, 4); K is a multiple of 32. */
export const packInt4Preshuffled: Op<[codes: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4_preshuffled.pack',
  reference: (codes: Tensor): Tensor => {
    const shape = packedShape(codes.shape)
    const words = new Int32Array(numelOf(shape))
    const source = hostArray(codes) as Uint8Array
    forEachPiece(codes.shape, (from, to) => {
      for (let i = 0; i < LANE_WORDS; i++) words[to + i] = packWord(source, from + 8 * i)
    })
    return fromArray(words, shape, 'int32')
  },
  meta: (codes: Tensor): Tensor => zeros(packedShape(codes.shape), 'int32', codes.device),
})

/** The codes, uint8 (..., n, K), of what {@link packInt4Preshuffled} made. */
export const unpackInt4Preshuffled: Op<[qdata: Tensor, n: number], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_preshuffled.unpack',
    reference: (qdata: Tensor, n: number): Tensor => {
      const shape = unpackedShape(qdata.shape, n)
      const codes = new Uint8Array(numelOf(shape))
      const words = hostArray(qdata) as Int32Array
      forEachPiece(shape, (to, from) => {
        for (let i = 0; i < LANE_WORDS; i++)
          unpackWord(words[from + i] as number, codes, to + 8 * i)
      })
      return fromArray(codes, shape, 'uint8')
    },
    meta: (qdata: Tensor, n: number): Tensor =>
      zeros(unpackedShape(qdata.shape, n), 'uint8', qdata.device),
  })

/** Calls `visit` with the index of the first code of each piece, and that of its first word. */
function forEachPiece(shape: readonly number[], visit: (code: number, word: number) => void): void {
  const [n, k] = shape.slice(-2) as [number, number]
  const chunks = k / LANE_CODES
  const rows = numelOf(shape.slice(0, -1))
  for (let row = 0; row < rows; row++) {
    const inExpert = row % n
    const band = ((row - inExpert) / n) * bandsOf(n) + Math.floor(inExpert / TILE_ROWS)
    for (let chunk = 0; chunk < chunks; chunk++) {
      const piece = band * TILE_ROWS * chunks + pieceAt(inExpert % TILE_ROWS, chunk, chunks)
      visit(row * k + chunk * LANE_CODES, piece * LANE_WORDS)
    }
  }
}

function packWord(codes: Uint8Array, at: number): number {
  let word = 0
  for (let j = 0; j < 4; j++) {
    const even = (codes[at + 2 * j] as number) & 15
    const odd = (codes[at + 2 * j + 1] as number) & 15
    word |= (even | (odd << 16)) << (4 * j)
  }
  return word
}

function unpackWord(word: number, codes: Uint8Array, at: number): void {
  for (let j = 0; j < 4; j++) {
    const pair = word >> (4 * j)
    codes[at + 2 * j] = pair & 15
    codes[at + 2 * j + 1] = (pair >> 16) & 15
  }
}

function packedShape(shape: readonly number[]): number[] {
  const [n, k] = shape.slice(-2) as [number, number]
  return [...shape.slice(0, -2), bandsOf(n), (k * TILE_ROWS) / LANE_CODES, LANE_WORDS]
}

function unpackedShape(shape: readonly number[], n: number): number[] {
  const pieces = shape.at(-2) as number
  return [...shape.slice(0, -3), n, (pieces / TILE_ROWS) * LANE_CODES]
}
