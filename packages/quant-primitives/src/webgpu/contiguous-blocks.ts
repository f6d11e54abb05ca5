/** @file Blocks as kernels know them: neighbours in memory. */

import { itemSize, type Tensor } from '@ao/base-tensor'
import type { Defines, GPU } from '@ao/kernels-webgpu'

/** When kernels take the blocks of a tensor, in the words that `explain` shows. */
export const CONTIGUOUS_BLOCKS =
  'blocks of neighbours in memory: per tensor, row, or group along the last dimension'

/** Whether blocks of `blockSize` are neighbours in memory, in a tensor that has elements. */
export function areContiguousBlocks(
  { shape, numel }: Tensor,
  blockSize: readonly number[],
): boolean {
  const isWhole = (d: number): boolean => blockSize[d] === -1 || blockSize[d] === shape[d]
  const last = shape.findLastIndex((_, d) => !isWhole(d))
  return numel > 0 && blockSize.every((size, d) => d >= last || size === 1)
}

const ELEMENTS: readonly string[] = ['float32', 'float16', 'bfloat16', 'int8', 'uint8', 'int32']

/** Whether kernels read and write elements of `dtype`. */
export function isElement(dtype: string): boolean {
  return ELEMENTS.includes(dtype)
}

/** What `tensor` is to the WGSL that reads elements: a dtype, its size, and how many of it a word has. */
export function elementDefines(name: string, { dtype }: Tensor): Defines {
  const size = itemSize(dtype)
  return { [name]: dtype, [`${name}_SIZE`]: size, [`${name}_PER_WORD`]: `${4 / size}u` }
}

/** The first of `count` items of each dispatch, and how many it has: at most `most`. */
export function* portions(count: number, most: number): Iterable<[first: number, count: number]> {
  for (let first = 0; first < count; first += most) yield [first, Math.min(most, count - first)]
}

/** Elements of `size` bytes that a binding shows at most, so that the next may begin after them. */
export function bindableElements({ capabilities }: GPU, size: number): number {
  return Math.max(Math.floor(capabilities.maxBindingSize / size / 256) * 256, 256)
}
