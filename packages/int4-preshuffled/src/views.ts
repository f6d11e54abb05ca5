/**
 * @file Slices of a preshuffled weight, and its experts.
 *
 * Views share storage with the weight, so a loader can copy into them, and keep the law
 * `dequantize(view(weight)) = view(dequantize(weight))`. They consist of whole tiles; what would cut one
 * is refused.
 */

import { normalizeDim, ShapeError, UnsupportedOpError, type DenseTensor } from '@ao/base-tensor'
import { LANE_CODES, PACKAGE, TILE_CODES, TILE_ROWS, type Int4PreshuffledFields } from './layout.ts'

/** What happens to a part, by how many of its dimensions follow that of bands. */
interface Change {
  readonly shape: readonly number[]
  readonly blockSize?: readonly number[]
  readonly qdata: (qdata: DenseTensor) => DenseTensor
  readonly groups: (qparam: DenseTensor) => DenseTensor
  readonly rows: (rowScale: DenseTensor) => DenseTensor
}

function changed(fields: Int4PreshuffledFields, change: Change): Int4PreshuffledFields {
  const { groupZero, rowScale } = fields
  return {
    shape: change.shape,
    blockSize: change.blockSize ?? fields.blockSize,
    dtype: fields.dtype,
    qdata: change.qdata(fields.qdata),
    groupScale: change.groups(fields.groupScale),
    groupZero: groupZero && change.groups(groupZero),
    rowScale: rowScale && change.rows(rowScale),
  }
}

/**
 * Elements `start` to `end` of `dim`: experts, rows of whole bands, or columns of whole tiles and groups.
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
  const from = clampIndex(start, size)
  const to = Math.max(from, clampIndex(end, size))
  const groupSize = blockSize.at(-1) as number
  const unit = [leastCommonMultiple(TILE_CODES, groupSize), TILE_ROWS, 1][shape.length - 1 - d] ?? 1
  if (from % unit !== 0 || (to % unit !== 0 && to !== size)) throw cut(d, from, to, size, unit)
  const sliced =
    (each: number) =>
    (part: DenseTensor): DenseTensor =>
      part.slice(d, from / each, Math.ceil(to / each))
  const whole = { shape: shape.with(d, to - from) }
  if (d === shape.length - 1) {
    const qdata = sliced(LANE_CODES / TILE_ROWS)
    return changed(fields, { ...whole, qdata, groups: sliced(groupSize), rows: (rows) => rows })
  }
  const slice = sliced(d === shape.length - 2 ? TILE_ROWS : 1)
  return changed(fields, { ...whole, qdata: slice, groups: slice, rows: slice })
}

/**
 * One expert.
 *
 * @throws {@link UnsupportedOpError} for other dimensions: rows and columns share tiles
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

function clampIndex(index: number, size: number): number {
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size)
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a
  while (multiple % b !== 0) multiple += a
  return multiple
}

function cut(d: number, from: number, to: number, size: number, unit: number): ShapeError {
  return new ShapeError({
    package: PACKAGE,
    expected: `a slice of dimension ${d} (size ${size}) in whole tiles and groups`,
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
