/** @file What group-wise helpers ask of their arguments. */

import { ShapeError, ValueError, type Tensor } from '@ao/base-tensor'
import { matrixShape } from './per-channel.ts'

const PACKAGE = '@ao/quant-primitives'

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
    throw new ValueError({
      package: PACKAGE,
      expected: 'groups of 2 elements or more',
      got: String(groupSize),
    })
  }
  if (k % size !== 0) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `a group size that divides the last dimension ${k}`,
      got: String(groupSize),
    })
  }
  return [1, size]
}

/** @throws {@link ValueError} unless `nBit` is in 1..8 */
export function checkBits(nBit: number): void {
  if (Number.isInteger(nBit) && nBit >= 1 && nBit <= 8) return
  throw new ValueError({ package: PACKAGE, expected: 'nBit in 1..8', got: String(nBit) })
}
