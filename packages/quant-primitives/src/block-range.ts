/** @file The smallest and largest element of each block. */

import { hostArray, toFloat32Array, type Tensor } from '@ao/base-tensor'
import type { BlockLayout } from './blocks.ts'
import { forEachRow } from './rows.ts'

type ShortFloat = 'bfloat16' | 'float16'

const INFINITY_BITS = { bfloat16: 0x7f80, float16: 0x7c00 }
const NAN_BITS = 0x7fff

/** One number for each block. Both are NaN where a block has a NaN. */
export interface BlockRange {
  readonly min: Float32Array
  readonly max: Float32Array
}

/** `amin` and `amax` of each block. */
export function blockRange(input: Tensor, layout: BlockLayout): BlockRange {
  const { dtype } = input
  if (dtype === 'bfloat16' || dtype === 'float16') return rangeByBits(input, dtype, layout)
  return rangeByValue(input, layout)
}

/** {@link blockRange} for every dtype. */
export function rangeByValue(input: Tensor, layout: BlockLayout): BlockRange {
  const min = new Float32Array(layout.count).fill(Infinity)
  const max = new Float32Array(layout.count).fill(-Infinity)
  forEachRow(input, layout, (row, firstBlock) =>
    widenByRow(row, firstBlock, layout.runLength, min, max),
  )
  return { min, max }
}

function widenByRow(
  row: Float32Array,
  firstBlock: number,
  runLength: number,
  mins: Float32Array,
  maxs: Float32Array,
): void {
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const end = start + runLength
    let min = mins[block] as number
    let max = maxs[block] as number
    for (let i = start; i < end; i++) {
      const x = row[i] as number
      if (x < min) min = x
      if (x > max) max = x
      if (x !== x) {
        min = NaN
        max = NaN
      }
    }
    mins[block] = min
    maxs[block] = max
  }
}

/**
 * {@link blockRange} without decoding: the bits of a 16-bit float, as a signed integer whose lower bits
 * are flipped where it is negative, are ordered as the numbers are. NaNs lie beyond the infinities.
 */
function rangeByBits(input: Tensor, dtype: ShortFloat, layout: BlockLayout): BlockRange {
  const bits = hostArray(input) as Uint16Array
  const source = new Int16Array(bits.buffer, bits.byteOffset, bits.length)
  const mins = new Int16Array(layout.count).fill(NAN_BITS)
  const maxs = new Int16Array(layout.count).fill(~NAN_BITS)
  const { rowLength, runLength } = layout
  layout.firstBlocks.forEach((firstBlock, row) =>
    widenByBits(source, row * rowLength, rowLength, runLength, firstBlock, mins, maxs),
  )
  markNaNs(mins, maxs, INFINITY_BITS[dtype])
  return { min: valuesOf(mins, dtype), max: valuesOf(maxs, dtype) }
}

// Comparisons would branch on the data, and small groups are mostly new extremes: `d & (d >> 31)` is d
// where it is negative and 0 elsewhere.
function widenByBits(
  source: Int16Array,
  rowStart: number,
  rowLength: number,
  runLength: number,
  firstBlock: number,
  mins: Int16Array,
  maxs: Int16Array,
): void {
  const rowEnd = rowStart + rowLength
  let block = firstBlock
  for (let start = rowStart; start < rowEnd; start += runLength, block++) {
    const end = start + runLength
    let min = mins[block] as number
    let max = maxs[block] as number
    for (let i = start; i < end; i++) {
      const x = source[i] as number
      const ordered = x ^ ((x >> 15) & 0x7fff)
      const room = max - ordered
      max = (max - (room & (room >> 31))) | 0
      const excess = ordered - min
      min = (min + (excess & (excess >> 31))) | 0
    }
    mins[block] = min
    maxs[block] = max
  }
}

/** Makes both ends NaN where one lies beyond an infinity. */
function markNaNs(mins: Int16Array, maxs: Int16Array, infinity: number): void {
  for (let block = 0; block < maxs.length; block++) {
    if ((maxs[block] as number) <= infinity && (mins[block] as number) >= ~infinity) continue
    mins[block] = NAN_BITS
    maxs[block] = NAN_BITS
  }
}

/** The numbers of ordered bits: the flip that ordered them undoes itself. */
function valuesOf(ordered: Int16Array, dtype: ShortFloat): Float32Array {
  const bits = new Uint16Array(ordered.length)
  for (let i = 0; i < bits.length; i++) {
    const x = ordered[i] as number
    bits[i] = x ^ ((x >> 15) & 0x7fff)
  }
  return toFloat32Array(bits, dtype)
}
