/** @file The smallest and largest element of each block. */

import type { Tensor } from '@ao/base-tensor'
import type { BlockLayout } from './blocks.ts'
import { forEachRow } from './rows.ts'

/** One number for each block. Both are NaN where a block has a NaN. */
export interface BlockRange {
  readonly min: Float32Array
  readonly max: Float32Array
}

/** `amin` and `amax` of each block. */
export function blockRange(input: Tensor, layout: BlockLayout): BlockRange {
  const range = {
    min: new Float32Array(layout.count).fill(Infinity),
    max: new Float32Array(layout.count).fill(-Infinity),
  }
  forEachRow(input, layout, (row, firstBlock) =>
    widenByRow(row, firstBlock, layout.runLength, range.min, range.max),
  )
  return range
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
    if (min !== min) continue
    for (let i = start; i < end; i++) {
      const x = row[i] as number
      if (x < min) min = x
      if (x > max) max = x
      if (x !== x) {
        min = NaN
        max = NaN
        break
      }
    }
    mins[block] = min
    maxs[block] = max
  }
}
