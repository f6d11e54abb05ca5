/** @file From a granularity to a block size, and from a block size to the dimensions it reduces. */

import { normalizeDim, ShapeError, takes, ValueError, type ErrorMaker } from '@ao/base-tensor'
import { fail } from './errors.ts'
import {
  describeGranularity,
  type Granularity,
  type PerBlock,
  type PerGroup,
} from './granularity.ts'

/**
 * The size of one block, along each dimension, of the elements that share a scale.
 *
 * torchao's `get_block_size`. For a weight of shape [N, K]: PerTensor [N, K], PerAxis(0) and PerRow()
 * [1, K], PerAxis(1) and PerRow(0) [N, 1], PerGroup(g) [1, g].
 *
 * @throws {@link ShapeError} when a dimension is out of range or blocks do not divide the shape
 * @throws {@link ValueError} for an unknown granularity
 */
export function getBlockSize(shape: readonly number[], granularity: Granularity): number[] {
  takes('s', shape)
  const rank = shape.length
  switch (granularity?.type) {
    case 'PerTensor':
      return [...shape]
    case 'PerAxis':
      return shape.with(normalizeDim(granularity.axis, rank), 1)
    case 'PerRow': {
      const dim = normalizeDim(granularity.dim, rank)
      return shape.map((size, d) => (d === dim ? size : 1))
    }
    case 'PerToken':
      return shape.map((size, d) => (d === rank - 1 ? size : 1))
    case 'PerGroup':
      return groupBlock(shape, granularity)
    case 'PerBlock':
      return paddedBlock(shape, granularity)
    default:
      throw fail(
        ValueError,
        'PerTensor, PerAxis, PerRow, PerToken, PerGroup or PerBlock',
        describeGranularity(granularity),
      )
  }
}

function groupBlock(shape: readonly number[], { groupSize }: PerGroup): number[] {
  checkGroupSize(shape.at(-1) ?? 1, groupSize)
  return shape.map((_, d) => (d === shape.length - 1 ? groupSize : 1))
}

/** What a check of a group size is told for its message. */
export interface GroupSizeCheck {
  /** The errors of the package that checks. */
  readonly fail?: ErrorMaker
  /** The weight's name. */
  readonly name?: string | undefined
  /** What a group size must be a multiple of; 1 unless given. */
  readonly multiple?: number
}

/**
 * Checks that groups of `groupSize` make up a row of `k`.
 *
 * @throws {@link ShapeError} naming sizes that would, when it does not divide `k`, or is no multiple of
 * `multiple`
 */
export function checkGroupSize(k: number, groupSize: number, options: GroupSizeCheck = {}): void {
  takes('nno?', k, groupSize, options)
  const { name, multiple = 1 } = options
  if (k % groupSize === 0 && groupSize % multiple === 0) return
  const of = name === undefined ? '' : ` of ${name}`
  const times = multiple === 1 ? '' : `, and to be a multiple of ${multiple}`
  const sizes = groupSizesFor(k, groupSize, multiple)
  const choices = [sizes.slice(0, -1).join(', '), sizes.at(-1)].filter(Boolean).join(' or ')
  throw (options.fail ?? fail)(
    ShapeError,
    `the group size to divide K=${k}${of}${times}`,
    groupSize,
    choices ? `Use ${choices}.` : `No size does: K is no multiple of ${multiple}.`,
  )
}

/** Group sizes that are looked at: more than any row has. */
const MOST_SIZES = 2 ** 24

/** Divisors of `k` around `groupSize`: up to two below and three above. */
function groupSizesFor(k: number, groupSize: number, multiple: number): number[] {
  if (!(k / multiple < MOST_SIZES)) return []
  const sizes: number[] = []
  for (let size = multiple; size <= k; size += multiple) if (k % size === 0) sizes.push(size)
  const above = sizes.findIndex((size) => size > groupSize)
  const middle = above < 0 ? sizes.length : above
  return sizes.slice(Math.max(middle - 2, 0), middle + 3)
}

function paddedBlock(shape: readonly number[], { blockSize }: PerBlock): number[] {
  const lead = shape.length - blockSize.length
  if (lead < 0) {
    throw fail(
      ShapeError,
      `a block of at most ${shape.length} dimensions for shape [${shape.join(', ')}]`,
      blockSize,
    )
  }
  const padded = shape.map((_, d) => blockSize[d - lead] ?? 1)
  if (shape.some((size, d) => size % (padded[d] as number) !== 0)) {
    throw fail(ShapeError, `blocks that divide shape [${shape.join(', ')}]`, padded)
  }
  return padded
}

/** A shape in which whole dimensions make up the blocks, and which dimensions those are. */
export interface ReductionParams {
  readonly shapeForReduction: number[]
  readonly reductionDims: number[]
}

/**
 * How to view a tensor of `shape` so that reducing whole dimensions reduces each block.
 *
 * torchao's `_get_reduction_params`. Block [3, 3, 2, 10] on [3, 3, 10, 10] gives shape
 * [3, 3, 5, 2, 10] and dimensions 0, 1, 3, 4. A block size of -1 stands for the whole dimension;
 * dimensions with blocks of 1 are not reduced.
 *
 * @throws {@link ShapeError} when the ranks differ or a block does not divide its dimension
 */
export function reductionParams(
  blockSize: readonly number[],
  shape: readonly number[],
): ReductionParams {
  takes('ls', blockSize, shape)
  checkBlockSize(blockSize, shape)
  const shapeForReduction: number[] = []
  const reductionDims: number[] = []
  shape.forEach((size, d) => {
    const block = blockSize[d] as number
    if (block !== size && block !== 1 && block !== -1) shapeForReduction.push(size / block)
    if (block !== 1) reductionDims.push(shapeForReduction.length)
    shapeForReduction.push(block === 1 || block === -1 ? size : block)
  })
  return { shapeForReduction, reductionDims }
}

/**
 * Checks that blocks of `blockSize`, in which -1 stands for a whole dimension, make up a tensor of `shape`.
 *
 * @throws {@link ShapeError} when the ranks differ or a block does not divide its dimension
 */
export function checkBlockSize(blockSize: readonly number[], shape: readonly number[]): void {
  takes('ls', blockSize, shape)
  if (blockSize.length !== shape.length) {
    throw fail(
      ShapeError,
      `a block size of ${shape.length} dimensions for shape [${shape.join(', ')}]`,
      blockSize,
    )
  }
  shape.forEach((size, d) => {
    const block = blockSize[d] as number
    const divides = Number.isInteger(block) && block > 0 && size % block === 0
    if (divides || block === size || block === -1) return
    throw fail(ShapeError, `a block size that divides dimension ${d} of size ${size}`, block)
  })
}
