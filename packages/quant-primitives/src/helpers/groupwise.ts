/** @file What group-wise helpers ask of their arguments. */

import { ShapeError, ValueError, type Tensor } from '@ao/base-tensor'
import { fail } from '../errors.ts'
import { matrixShape } from './per-channel.ts'

/**
 * The block of one group in a weight (N, K): all of a row where that is shorter than `groupSize`.
 *
 * @throws {@link ShapeError} unless groups divide the rows of a weight of 2 dimensions
 * @throws {@link ValueError} for groups of 1
 */
export function groupBlock(weight: Tensor, groupSize: number): [1, number] {
  const [, k] = matrixShape(weight)
  const size = Math.min(groupSize, k)
  if (!Number.isInteger(size) || size < 2) {
    throw fail(ValueError, 'groups of 2 elements or more', groupSize)
  }
  if (k % size !== 0) {
    throw fail(ShapeError, `a group size that divides the last dimension ${k}`, groupSize)
  }
  return [1, size]
}

/** @throws {@link ValueError} unless `nBit` is in 1..8 */
export function checkBits(nBit: number): void {
  if (Number.isInteger(nBit) && nBit >= 1 && nBit <= 8) return
  throw fail(ValueError, 'nBit in 1..8', nBit)
}
