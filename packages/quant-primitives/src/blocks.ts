/**
 * @file Blocks: the parts of a tensor that share one scale, and the order in which they are visited.
 *
 * Tensors are walked row by row along the last dimension. In a row, a block has a *run* of neighbours,
 * and the next run belongs to the next block. A block that spans several rows comes up again in each.
 */

import { contiguousStrides, numelOf, ShapeError, type Tensor } from '@ao/base-tensor'
import { checkBlockSize } from '@ao/granularity'

import { fail } from './errors.ts'
/** Where the blocks of one tensor lie. */
export interface BlockLayout {
  /** Blocks along each dimension: the shape of a scale that keeps all dimensions. */
  readonly grid: readonly number[]
  /** Number of blocks. Blocks are numbered row-major in `grid`. */
  readonly count: number
  /** Elements of a row: the size of the last dimension. */
  readonly rowLength: number
  /** How many neighbours in a row belong to one block. */
  readonly runLength: number
  /** For each row, the block of its first element. Following runs belong to following blocks. */
  readonly firstBlocks: Int32Array
}

/**
 * The layout of blocks of `blockSize` in a tensor of `shape`; a size of -1 is the whole dimension.
 *
 * @throws {@link ShapeError} when the ranks differ or a block does not divide its dimension
 */
export function blockLayout(shape: readonly number[], blockSize: readonly number[]): BlockLayout {
  const block = wholeSizes(shape, blockSize)
  const grid = gridOf(shape, block)
  const strides = contiguousStrides(grid)
  const last = shape.length - 1
  let firstBlocks = new Int32Array(1)
  for (let d = 0; d < last; d++) {
    const size = shape[d] as number
    const blockAlong = block[d] as number
    const stride = strides[d] as number
    const finer = new Int32Array(firstBlocks.length * size)
    for (let i = 0; i < finer.length; i++) {
      const outer = firstBlocks[Math.floor(i / size)] as number
      finer[i] = outer + Math.floor((i % size) / blockAlong) * stride
    }
    firstBlocks = finer
  }
  return {
    grid,
    count: numelOf(grid),
    rowLength: shape[last] ?? 1,
    runLength: block[last] ?? 1,
    firstBlocks,
  }
}

/** Blocks along each dimension. */
export function blockGrid(shape: readonly number[], blockSize: readonly number[]): number[] {
  return gridOf(shape, wholeSizes(shape, blockSize))
}

function gridOf(shape: readonly number[], block: readonly number[]): number[] {
  return shape.map((size, d) => (size === 0 ? 0 : size / (block[d] as number)))
}

function wholeSizes(shape: readonly number[], blockSize: readonly number[]): number[] {
  checkBlockSize(blockSize, shape)
  return shape.map((size, d) => (blockSize[d] === -1 ? size : (blockSize[d] as number)))
}

/**
 * The shape of scales that a reduction gives: the grid with `keepdim`, otherwise what is left when
 * reduced dimensions are dropped (nothing for one block: a scalar).
 */
export function qparamsShape(
  shape: readonly number[],
  blockSize: readonly number[],
  keepdim: boolean,
): number[] {
  const block = wholeSizes(shape, blockSize)
  const isKept = (d: number): boolean => keepdim || blockSize[d] === 1 || block[d] !== shape[d]
  return gridOf(shape, block).filter((_, d) => isKept(d))
}

/**
 * Checks that `tensor` has one element for each of `count` blocks, in any shape. Where there is nothing to
 * quantize, it may be of any size: how many blocks of no elements there are is not known.
 *
 * @param what - how the message calls it, such as `the scale`
 */
export function checkBlockCount(tensor: Tensor, count: number, what: string): void {
  if (tensor.numel === count || count === 0) return
  throw fail(
    ShapeError,
    `${what} to have ${count} elements, one for each block`,
    `${tensor.numel} of shape [${tensor.shape.join(', ')}]`,
  )
}
