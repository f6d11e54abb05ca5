/** @file 4-bit codes, two to a byte. */

import { DTypeError, takes } from '@ao/base-tensor'
import { fail } from '../errors.ts'

/**
 * Packs codes in pairs.
 *
 * @param codes - an even number of codes; only their low four bits count, so signed codes pack too
 * @param evenLow - whether the first of a pair takes the low four bits
 * @returns one byte for each pair
 */
export function packNibbles(codes: Uint8Array | Int8Array, evenLow: boolean = true): Uint8Array {
  checkBytes(codes)
  const packed = new Uint8Array(codes.length / 2)
  const evenShift = evenLow ? 0 : 4
  const oddShift = 4 - evenShift
  for (let i = 0; i < packed.length; i++) {
    const even = (codes[2 * i] as number) & 15
    const odd = (codes[2 * i + 1] as number) & 15
    packed[i] = (even << evenShift) | (odd << oddShift)
  }
  return packed
}

/** The codes 0..15 of bytes that {@link packNibbles} made. */
export function unpackNibbles(packed: Uint8Array | Int8Array, evenLow: boolean = true): Uint8Array {
  checkBytes(packed)
  const codes = new Uint8Array(packed.length * 2)
  const evenShift = evenLow ? 0 : 4
  const oddShift = 4 - evenShift
  for (let i = 0; i < packed.length; i++) {
    const byte = packed[i] as number
    codes[2 * i] = (byte >> evenShift) & 15
    codes[2 * i + 1] = (byte >> oddShift) & 15
  }
  return codes
}

function checkBytes(codes: Uint8Array | Int8Array): void {
  takes('a', codes)
  const size = codes.BYTES_PER_ELEMENT
  if (size !== 1) throw fail(DTypeError, 'codes of 8 bits each', `${8 * (size ?? 0)} bits`)
}
