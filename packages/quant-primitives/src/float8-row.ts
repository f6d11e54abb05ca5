/** @file float8 for the rows of a product's input, as kernels for int4 weights do it. */

import { finfo, fromFloat8E4m3Bits, toFloat8E4m3Bits, takes, ShapeError } from '@ao/base-tensor'
import { fail } from './errors.ts'

/** The smallest peak of a row that scales follow. */
const SMALLEST_PEAK = 1 / 512

/**
 * Rows as float8_e4m3fn leaves them: what MSLK's `quantize_fp8_row` makes of them, dequantized.
 *
 * Each row has a scale, `max(|x|, 1 / 512) / 448`.
 *
 * @param values - rows of `rowLength` numbers, one after the other
 * @throws {@link ShapeError} unless there are whole rows
 */
export function fakeQuantizeFp8Row(values: Float32Array, rowLength: number): Float32Array {
  takes('an', values, rowLength)
  if (values.length > 0 && !(rowLength > 0 && values.length % rowLength === 0)) {
    throw fail(ShapeError, `rows that divide ${values.length} numbers`, rowLength)
  }
  const { max } = finfo('float8_e4m3fn')
  const rounded = new Float32Array(values.length)
  for (let start = 0; start < values.length; start += rowLength) {
    const end = start + rowLength
    let peak = SMALLEST_PEAK
    for (let i = start; i < end; i++) peak = Math.max(peak, Math.abs(values[i] as number))
    const scale = Math.fround(peak / max)
    for (let i = start; i < end; i++) {
      const code = Math.min(Math.max(Math.fround((values[i] as number) / scale), -max), max)
      rounded[i] = fromFloat8E4m3Bits(toFloat8E4m3Bits(code)) * scale
    }
  }
  return rounded
}
