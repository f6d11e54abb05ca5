/** @file Rows of a tensor as float32 numbers, one at a time: no tensor is decoded as a whole. */

import {
  fromArray,
  fromFloat16Bits,
  fromFloat32Array,
  hostArray,
  newArray,
  toFloat32Array,
  type DenseTensor,
  type StoredDType,
  type Tensor,
  type TypedArray,
} from '@ao/base-tensor'
import type { BlockLayout } from './blocks.ts'

/**
 * What is done to one row.
 *
 * @param row - its elements; the array is used again for the next row
 * @param firstBlock - the block of its first run
 */
export type RowVisitor = (row: Float32Array, firstBlock: number) => void

/** Shows every row of `input` to `visit`. */
export function forEachRow(input: Tensor, layout: BlockLayout, visit: RowVisitor): void {
  const source = hostArray(input)
  const row = new Float32Array(layout.rowLength)
  layout.firstBlocks.forEach((firstBlock, i) => {
    readRow(source, input.dtype, i * row.length, row)
    visit(row, firstBlock)
  })
}

/** A tensor of `input`'s shape and of `dtype`, of the rows as `change` leaves them. */
export function mapRows(
  input: Tensor,
  layout: BlockLayout,
  dtype: StoredDType,
  change: RowVisitor,
): DenseTensor {
  const out = newArray(dtype, input.numel)
  let at = 0
  forEachRow(input, layout, (row, firstBlock) => {
    change(row, firstBlock)
    writeRow(row, dtype, out, at)
    at += row.length
  })
  return fromArray(out, input.shape, dtype)
}

/** Reads `row.length` elements from `start` on. */
function readRow(source: TypedArray, dtype: StoredDType, start: number, row: Float32Array): void {
  switch (dtype) {
    case 'bfloat16':
      return readBfloat16(source as Uint16Array, start, new Uint32Array(row.buffer))
    case 'float16':
      return readFloat16(source as Uint16Array, start, row)
    case 'float8_e4m3fn':
    case 'float8_e5m2':
    case 'int64':
      row.set(toFloat32Array(source.subarray(start, start + row.length), dtype))
      return
    default:
      row.set(source.subarray(start, start + row.length) as Float32Array)
  }
}

function readBfloat16(source: Uint16Array, start: number, rowBits: Uint32Array): void {
  for (let i = 0; i < rowBits.length; i++) rowBits[i] = (source[start + i] as number) << 16
}

function readFloat16(source: Uint16Array, start: number, row: Float32Array): void {
  for (let i = 0; i < row.length; i++) row[i] = fromFloat16Bits(source[start + i] as number)
}

/** Writes a row, cast to `dtype`, from `start` on. */
function writeRow(row: Float32Array, dtype: StoredDType, out: TypedArray, start: number): void {
  if (dtype === 'int8' || dtype === 'uint8') writeBytes(row, new Int8Array(out.buffer), start)
  else out.set(fromFloat32Array(row, dtype) as never, start)
}

// Both byte types wrap modulo 256, so one loop over one array type serves them.
function writeBytes(row: Float32Array, out: Int8Array, start: number): void {
  for (let i = 0; i < row.length; i++) out[start + i] = row[i] as number
}
