/** @file The groups of an int4 weight, by the granularity that it is quantized with. */

import { errorsOf, normalizeDim, ShapeError, takes, ValueError, type Tensor } from '@ao/base-tensor'
import { checkGroupSize, describeGranularity, PerGroup, type Granularity } from '@ao/granularity'
import { groupBlockSize } from '../blockwise.ts'

/** What a format asks of groups. */
export interface GroupBlockOptions {
  /** For errors. */
  readonly packageName: string
  /** What a group size must be a multiple of; 1 unless given. */
  readonly multiple?: number
  /** Whether K is padded, so that groups need not divide it; false unless given. */
  readonly isPadded?: boolean
}

/**
 * Block size of the groups along K of a weight (N, K) or (E, N, K): ones, and the group size. PerGroup(128)
 * unless given; PerRow() makes a row one group.
 *
 * @throws {@link ShapeError} for another shape, and for groups that do not divide K, naming sizes that do
 * @throws {@link ValueError} for another granularity
 */
export function groupBlockOf(
  weight: Tensor,
  granularity: Granularity | undefined,
  options: GroupBlockOptions,
): number[] {
  takes('t.o', weight, granularity, options)
  const { packageName, multiple = 1, isPadded = false } = options
  const { shape, ndim } = weight
  const fail = errorsOf(packageName)
  if (ndim !== 2 && ndim !== 3) throw fail(ShapeError, 'a weight (N, K) or (E, N, K)', shape)
  const k = shape[ndim - 1] as number
  const groupSize = sizeOf(granularity ?? PerGroup(128), ndim, k)
  if (groupSize === undefined) {
    const expected = 'PerGroup(n), or PerRow(), as the granularity of int4 weights'
    throw fail(ValueError, expected, describeGranularity(granularity))
  }
  if (!isPadded) checkGroupSize(k, groupSize, { fail, multiple })
  return groupBlockSize(ndim, groupSize)
}

function sizeOf(granularity: Granularity, ndim: number, k: number): number | undefined {
  if (granularity.type === 'PerGroup') return granularity.groupSize
  const isRow = granularity.type === 'PerRow' && normalizeDim(granularity.dim, ndim) === ndim - 1
  return isRow ? k : undefined
}
