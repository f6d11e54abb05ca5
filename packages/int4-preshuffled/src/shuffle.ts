/** @file Codes to words and back: the order that `layout.ts` describes. */

import {
  defineOp,
  fromArray,
  hostArray,
  numelOf,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { BAND_ROWS, bandsOf, WORD_CODES } from './layout.ts'

/** Codes 0..15, uint8 (..., N, K), as int32 words (..., 4 bands, K / 8); K is a multiple of 8. */
export const packInt4Preshuffled: Op<[codes: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4_preshuffled.pack',
  takes: 't',
  reference: (codes: Tensor): Tensor => {
    const shape = packedShape(codes.shape)
    const words = new Int32Array(numelOf(shape))
    const source = hostArray(codes) as Uint8Array
    forEachRow(codes.shape, (from, to, length) => {
      for (let i = 0; i < length; i++) words[to + i] = packWord(source, from + WORD_CODES * i)
    })
    return fromArray(words, shape, 'int32')
  },
  meta: (codes: Tensor): Tensor => zeros(packedShape(codes.shape), 'int32', codes.device),
})

/** The codes, uint8 (..., n, K), of what {@link packInt4Preshuffled} made. */
export const unpackInt4Preshuffled: Op<[qdata: Tensor, n: number], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_preshuffled.unpack',
    takes: 'tn',
    reference: (qdata: Tensor, n: number): Tensor => {
      const shape = unpackedShape(qdata, n)
      const codes = new Uint8Array(numelOf(shape))
      const words = hostArray(qdata) as Int32Array
      forEachRow(shape, (to, from, length) => {
        for (let i = 0; i < length; i++) {
          unpackWord(words[from + i] as number, codes, to + WORD_CODES * i)
        }
      })
      return fromArray(codes, shape, 'uint8')
    },
    meta: (qdata: Tensor, n: number): Tensor =>
      zeros(unpackedShape(qdata, n), 'uint8', qdata.device),
  })

/** Calls `visit` with the index of each row's first code, that of its first word, and its words. */
function forEachRow(
  shape: readonly number[],
  visit: (code: number, word: number, length: number) => void,
): void {
  const [n, k] = shape.slice(-2) as [number, number]
  const padding = bandsOf(n) * BAND_ROWS - n
  const rows = numelOf(shape.slice(0, -1))
  const words = k / WORD_CODES
  for (let row = 0; row < rows; row++) {
    const expert = Math.floor(row / n)
    visit(row * k, (row + expert * padding) * words, words)
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
  return [...shape.slice(0, -2), bandsOf(n) * BAND_ROWS, k / WORD_CODES]
}

/** (..., n, K) of words (..., 4 bands, K / 8). */
export function unpackedShape({ shape }: Tensor, n: number): number[] {
  return [...shape.slice(0, -2), n, (shape.at(-1) as number) * WORD_CODES]
}
