/**
 * @file Slices of a weight, and experts out of several.
 *
 * They share storage with the weight, so a loader can copy into them, and keep the law
 * `dequantize(view(weight)) = view(dequantize(weight))`. Only whole tiles can be shared.
 */

import { normalizeDim, ShapeError, sliceRange, UnsupportedOpError } from '@ao/base-tensor'
import {
  K_MULTIPLE,
  PACKAGE,
  roundUp,
  TILE_COLUMNS,
  TILE_ROWS,
  type Int4TilePackedTo4dFields,
} from './layout.ts'

/**
 * Elements `start` to `end` of a dimension of (N, K).
 *
 * @remarks Along K, kernels take multiples of 1024 only: nothing else would be padded as they expect.
 * A slice along K takes the same part of `actPreScale`.
 * @throws {@link ShapeError} unless the slice begins and ends between tiles, or ends with the weight
 * @throws {@link UnsupportedOpError} for steps and experts
 */
export function sliceTiled(
  fields: Int4TilePackedTo4dFields,
  dim: number,
  start: number = 0,
  end: number = Infinity,
  step: number = 1,
): Int4TilePackedTo4dFields {
  const { shape } = fields
  if (step !== 1) throw unsupported('a slice of step 1', `step ${step}`)
  if (shape.length !== 2) throw unsupported('a weight (N, K) to slice', `[${shape.join(', ')}]`)
  const d = normalizeDim(dim, 2)
  const size = shape[d] as number
  const [from, to] = sliceRange(start, end, size)
  if (from === 0 && to === size) return fields
  const multiple = d === 0 ? TILE_ROWS : K_MULTIPLE
  const isWhole = [from, to].every((end) => end % multiple === 0 || end === size)
  if (!isWhole) throw misaligned(d, from, to, size, multiple)
  return d === 0 ? rows(fields, from, to) : columns(fields, from, to)
}

// Where a slice ends with the weight, it takes the padding along.

function rows(
  fields: Int4TilePackedTo4dFields,
  from: number,
  to: number,
): Int4TilePackedTo4dFields {
  const { qdata, scaleAndZero, shape } = fields
  const [first, last] = [from, to].map((end) => Math.ceil(end / TILE_ROWS)) as [number, number]
  return {
    ...fields,
    shape: shape.with(0, to - from),
    qdata: qdata.slice(0, first, last),
    scaleAndZero: scaleAndZero.slice(1, first * TILE_ROWS, last * TILE_ROWS),
  }
}

function columns(
  fields: Int4TilePackedTo4dFields,
  from: number,
  to: number,
): Int4TilePackedTo4dFields {
  const { qdata, scaleAndZero, shape, blockSize, actPreScale } = fields
  const groupSize = blockSize[1] as number
  const [first, last] = [from, to].map((end) => roundUp(end, K_MULTIPLE)) as [number, number]
  const isPerColumn = actPreScale?.shape.at(-1) === shape[1]
  return {
    ...fields,
    shape: shape.with(1, to - from),
    qdata: qdata.slice(1, first / TILE_COLUMNS, last / TILE_COLUMNS),
    scaleAndZero: scaleAndZero.slice(0, first / groupSize, last / groupSize),
    actPreScale: isPerColumn ? actPreScale?.slice(-1, from, to) : actPreScale,
  }
}

/**
 * One of the experts (E, N, K).
 *
 * @throws {@link UnsupportedOpError} for rows and columns, whose codes share words
 */
export function selectTiled(
  fields: Int4TilePackedTo4dFields,
  dim: number,
  at: number,
): Int4TilePackedTo4dFields {
  const { qdata, scaleAndZero, shape, blockSize } = fields
  if (normalizeDim(dim, shape.length) !== shape.length - 3) {
    throw unsupported('dimension 0 of experts (E, N, K) to select from', selection(shape, dim))
  }
  return {
    ...fields,
    shape: shape.slice(1),
    blockSize: blockSize.slice(1),
    qdata: qdata.select(0, at),
    scaleAndZero: scaleAndZero.select(0, at),
  }
}

function selection(shape: readonly number[], dim: number): string {
  return `dimension ${dim} of [${shape.join(', ')}]`
}

function misaligned(
  d: number,
  from: number,
  to: number,
  size: number,
  multiple: number,
): ShapeError {
  return new ShapeError({
    package: PACKAGE,
    expected: `a slice of dimension ${d} (size ${size}) at multiples of ${multiple}, between tiles`,
    got: `${from} to ${to}`,
    cure: `Slice at multiples of ${multiple}, or dequantize() first.`,
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
