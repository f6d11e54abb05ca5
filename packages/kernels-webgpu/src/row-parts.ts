/** @file Weights above the binding limit, in parts. */

import { itemSize, type DenseTensor, takes } from '@ao/base-tensor'
import type { GPU, TensorRange } from './kernel.ts'

/** Rows of a matrix that one dispatch sees. */
export interface RowPart {
  readonly range: TensorRange
  /** The first of its rows. */
  readonly first: number
  readonly rows: number
}

/**
 * A contiguous (rows, columns) matrix in as few parts as the binding limit allows.
 *
 * @param multiple - of what all parts but the last have rows: those of a workgroup
 */
export function rowParts(gpu: GPU, matrix: DenseTensor, multiple: number): readonly RowPart[] {
  takes('o<capabilities:o>tn', gpu, matrix, multiple)
  const [rows, columns] = matrix.shape as [number, number]
  const rowBytes = columns * itemSize(matrix.dtype)
  const { maxBindingSize } = gpu.capabilities
  // Parts begin at multiples of 256 bytes, as bindings must; 256 rows always do.
  let step = multiple
  while ((step * rowBytes) % 256 !== 0) step += multiple
  const most = Math.max(Math.floor(maxBindingSize / (step * rowBytes)), 1) * step
  const parts: RowPart[] = []
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first)
    const range = { tensor: matrix, offset: first * rowBytes, size: count * rowBytes }
    parts.push({ range, first, rows: count })
  }
  return parts
}
