/** @file How blocks look when a tensor is shown in another shape. */

import { takes } from '@ao/base-tensor'

/**
 * The block size in which the blocks of a tensor of `shape` appear when it is viewed as `newShape`, or
 * undefined where they are no blocks of that shape.
 *
 * @remarks Both shapes are split, from the end, in runs of dimensions with equally many elements. In
 * memory order, the blocks of a run are stretches of one length; the new dimensions must cut it so.
 */
export function viewBlockSize(
  shape: readonly number[],
  blockSize: readonly number[],
  newShape: readonly number[],
): number[] | undefined {
  takes('sss', shape, blockSize, newShape)
  const out = newShape.map(() => 1)
  let oldEnd = shape.length
  let newEnd = newShape.length
  while (oldEnd > 0 && newEnd > 0) {
    let oldStart = oldEnd - 1
    let newStart = newEnd - 1
    let oldNumel = shape[oldStart] as number
    let newNumel = newShape[newStart] as number
    while (oldNumel !== newNumel) {
      if (oldNumel < newNumel) oldNumel *= shape[--oldStart] ?? NaN
      else newNumel *= newShape[--newStart] ?? NaN
      if (Number.isNaN(oldNumel + newNumel)) return undefined
    }
    const stretch = stretchOf(shape, blockSize, oldStart, oldEnd)
    if (stretch === undefined || !cutBy(newShape, newStart, newEnd, stretch, out)) return undefined
    oldEnd = oldStart
    newEnd = newStart
  }
  return out
}

/** Elements of a block in memory order, undefined where they are not next to each other. */
function stretchOf(
  shape: readonly number[],
  blockSize: readonly number[],
  start: number,
  end: number,
): number | undefined {
  let stretch = 1
  let isWhole = true // whether the block covers all dimensions so far
  for (let d = end - 1; d >= start; d--) {
    const block = blockSize[d] as number
    if (!isWhole && block !== 1) return undefined
    stretch *= block
    isWhole &&= block === shape[d]
  }
  return stretch
}

/** Writes the block size that gives stretches of `stretch` elements into `out`; false if none does. */
function cutBy(
  shape: readonly number[],
  start: number,
  end: number,
  stretch: number,
  out: number[],
): boolean {
  let left = stretch
  for (let d = end - 1; d >= start; d--) {
    const size = shape[d] as number
    const block = Math.min(left, size)
    if (left % block !== 0 || size % block !== 0) return false
    out[d] = block
    left /= block
  }
  return left === 1
}
