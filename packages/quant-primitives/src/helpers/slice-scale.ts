/** @file Which scales belong to a slice of a quantized tensor. */

import { normalizeDim, ShapeError, type Tensor, takes } from '@ao/base-tensor'

import { fail } from '../errors.ts'
/**
 * The scales of `data.slice(dim, start, end, step)`, as a view; torchao's `_slice_scale_for_dimension`.
 *
 * @param scale - one element for each block, of the rank of the data
 * @param dataShape - the shape of the data before the slice
 * @throws {@link ShapeError} when the slice cuts a block, or takes steps across blocks
 */
export function sliceScaleForDimension(
  scale: Tensor,
  dataShape: readonly number[],
  dim: number,
  start: number = 0,
  end: number = Infinity,
  step: number = 1,
): Tensor {
  takes('tsnn?n?n?', scale, dataShape, dim, start, end, step)
  const d = normalizeDim(dim, dataShape.length)
  const blocks = scale.shape[d]
  if (blocks === undefined) return scale // fewer dimensions: the scales do not vary along this one
  const size = dataShape[d] as number
  if (blocks === size) return scale.slice(d, start, end, step)
  const from = clampIndex(start, size)
  const to = Math.max(from, clampIndex(end, size))
  const block = Math.floor(size / blocks)
  const aligned = from % block === 0 && (to % block === 0 || to === size)
  if (step !== 1 || (blocks > 1 && !aligned)) {
    throw fail(
      ShapeError,
      `a slice of dimension ${d} in steps of 1 and along its blocks of ${block}`,
      `${from}:${to}:${step}`,
      'Dequantize first, or slice at multiples of the block size.',
    )
  }
  return scale.slice(d, Math.floor(from / block), Math.ceil(to / block))
}

function clampIndex(index: number, size: number): number {
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size)
}
