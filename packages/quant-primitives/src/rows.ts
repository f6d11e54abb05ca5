/** @file Rows of a tensor as float32 numbers, one at a time: no tensor is decoded as a whole. */

import {
  fromArray,
  fromFloat32Array,
  hostArray,
  newArray,
  toFloat32Array,
  type DenseTensor,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import type { BlockLayout } from './blocks.ts'

/**
 * What is done to one row.
 *
 * @param row - its elements; the array is used again for the next row
 * @param firstBlock - the block of its first run
 * @param start - the place of its first element among all elements
 */
export type RowVisitor = (row: Float32Array, firstBlock: number, start: number) => void

/** Shows every row of `input` to `visit`. */
export function forEachRow(input: Tensor, layout: BlockLayout, visit: RowVisitor): void {
  const { dtype } = input
  const source = hostArray(input)
  const row = new Float32Array(layout.rowLength)
  const rowBits = new Uint32Array(row.buffer)
  layout.firstBlocks.forEach((firstBlock, i) => {
    const start = i * row.length
    if (dtype === 'bfloat16') readBfloat16(source as Uint16Array, start, rowBits)
    else row.set(toFloat32Array(source.subarray(start, start + row.length), dtype))
    visit(row, firstBlock, start)
  })
}

function readBfloat16(source: Uint16Array, start: number, rowBits: Uint32Array): void {
  for (let i = 0; i < rowBits.length; i++) rowBits[i] = (source[start + i] as number) << 16
}

/** A tensor of `input`'s shape and of `dtype`, of the rows as `change` leaves them. */
export function mapRows(
  input: Tensor,
  layout: BlockLayout,
  dtype: StoredDType,
  change: RowVisitor,
): DenseTensor {
  const out = newArray(dtype, input.numel)
  forEachRow(input, layout, (row, firstBlock, start) => {
    change(row, firstBlock, start)
    out.set(fromFloat32Array(row, dtype) as never, start)
  })
  return fromArray(out, input.shape, dtype)
}
