/** @file Rows of matrices above the binding limit, in parts. */

import type { GPU } from '@ao/kernels-webgpu'

/** Rows of a tensor, of so many bytes each. */
export interface RowRange {
  readonly first: number
  readonly rows: number
  readonly bytes: number
}

/**
 * `rows` rows in parts that can be bound.
 *
 * @param rowBytes - bytes of a row in each tensor that is cut
 */
export function rowRanges(
  gpu: GPU,
  rows: number,
  ...rowBytes: readonly number[]
): { readonly first: number; readonly rows: number }[] {
  const { maxBindingSize } = gpu.capabilities
  const longest = Math.max(...rowBytes)
  if (rows * longest <= maxBindingSize) return [{ first: 0, rows }]
  // Bindings begin at multiples of 256 bytes, and rows of eight lie together.
  let step = 8
  while (rowBytes.some((bytes) => (step * bytes) % 256 !== 0)) step *= 2
  const count = Math.max(Math.floor(maxBindingSize / longest / step), 1) * step
  return Array.from({ length: Math.ceil(rows / count) }, (_, i) => ({
    first: i * count,
    rows: Math.min(count, rows - i * count),
  }))
}
