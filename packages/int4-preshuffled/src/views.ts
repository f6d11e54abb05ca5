/**
 * @file Slices of a preshuffled weight, and its experts.
 *
 * Views share storage with the weight, so a loader can copy into them, and keep the law
 * `dequantize(view(weight)) = view(dequantize(weight))`. They consist of whole bands and groups; what
 * would cut one is refused.
 */

import {
  normalizeDim,
  ShapeError,
  sliceRange,
  UnsupportedOpError,
  type DenseTensor,
} from '@ao/base-tensor'
import { BAND_ROWS, PACKAGE, WORD_CODES, type Int4PreshuffledFields } from './layout.ts'

/** What a view does to each part of a weight. */
interface Change {
  readonly shape: readonly number[]
  readonly blockSize: readonly number[]
  readonly qdata: (qdata: DenseTensor) => DenseTensor
  readonly groups: (qparam: DenseTensor) => DenseTensor
  readonly rows: (rowScale: DenseTensor) => DenseTensor
}

function changed(fields: Int4PreshuffledFields, change: Change): Int4PreshuffledFields {
  const { groupZero, rowScale } = fields
  return {
    shape: change.shape,
    blockSize: change.blockSize,
    dtype: fields.dtype,
    qdata: change.qdata(fields.qdata),
    groupScale: change.groups(fields.groupScale),
    groupZero: groupZero && change.groups(groupZero),
    rowScale: rowScale && change.rows(rowScale),
  }
}

/**
 * Elements `start` to `end` of `dim`: experts, rows of whole bands, or columns of whole groups.
 *
 * @throws {@link ShapeError} unless it begins and ends between them; the weight's own end will do
 * @throws {@link UnsupportedOpError} for steps
 */
export function sliceInt4Preshuffled(
  fields: Int4PreshuffledFields,
  dim: number,
  start: number = 0,
  end: number = Infinity,
  step: number = 1,
): Int4PreshuffledFields {
  if (step !== 1) throw unsupported('a slice of step 1', `step ${step}`)
  const { shape, blockSize } = fields
  const d = normalizeDim(dim, shape.length)
  const size = shape[d] as number
  const [from, to] = sliceRange(start, end, size)
  const isRows = d === shape.length - 2
  const unit = isRows ? BAND_ROWS : (blockSize[d] as number)
  if (from % unit !== 0 || (to % unit !== 0 && to !== size)) throw cut(d, from, to, size, unit)
  const units = (part: DenseTensor): DenseTensor => part.slice(d, from / unit, Math.ceil(to / unit))
  const isColumns = d === shape.length - 1
  const perUnit = isRows ? BAND_ROWS : isColumns ? unit / WORD_CODES : 1
  return changed(fields, {
    shape: shape.with(d, to - from),
    blockSize,
    qdata: (qdata) => qdata.slice(d, (from / unit) * perUnit, Math.ceil(to / unit) * perUnit),
    groups: units,
    rows: isColumns ? (rows) => rows : units,
  })
}

/**
 * One expert.
 *
 * @throws {@link UnsupportedOpError} for other dimensions: rows share bands, and columns words
 */
export function selectInt4Preshuffled(
  fields: Int4PreshuffledFields,
  dim: number,
  at: number,
): Int4PreshuffledFields {
  const { shape, blockSize } = fields
  const d = normalizeDim(dim, shape.length)
  if (shape.length !== 3 || d !== 0) {
    const what = `dimension ${d} of [${shape.join(', ')}]`
    throw unsupported('the dimension of experts to select from, 0 of (E, N, K)', what)
  }
  const select = (part: DenseTensor): DenseTensor => part.select(0, at)
  return changed(fields, {
    shape: shape.slice(1),
    blockSize: blockSize.slice(1),
    qdata: select,
    groups: select,
    rows: select,
  })
}

function cut(d: number, from: number, to: number, size: number, unit: number): ShapeError {
  return new ShapeError({
    package: PACKAGE,
    expected: `a slice of dimension ${d} (size ${size}) in whole ${unit === BAND_ROWS ? 'bands' : 'groups'} of ${unit}`,
    got: `${from} to ${to}`,
    cure: `Slice at multiples of ${unit}, or dequantize() first.`,
  })
}

function unsupported(expected: string, got: string): UnsupportedOpError {
  return new UnsupportedOpError({
    package: PACKAGE,
    expected,
    got,
    cure: 'Call dequantize() to work on the plain tensor.',
  })
}
