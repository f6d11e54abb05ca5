/** @file Int4Codes and GroupedInt8Codes, the plain shapes of a weight in codes, read from tensors and written. */

import {
  DTypeError,
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  isFloatDType,
  ShapeError,
  ValueError,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import type { Int4Codes } from '@ao/quantized-linear'
import { describe, PACKAGE } from './errors.ts'
import type { CodeRange } from './fit.ts'
import type { Groups } from './groups.ts'

/**
 * A weight in 8-bit codes, groups of `groupSize` neighbours along K sharing a scale:
 * `value = (code - zeroPoint) * scale`. The fields of an `Int8Tensor` that has scales per row or per group.
 */
export interface GroupedInt8Codes {
  /** int8 (N, K) */
  readonly codes: Tensor
  /** Floating, (N, K / groupSize). */
  readonly scale: Tensor
  /** int8, as the scale; undefined for zeros. */
  readonly zeroPoint?: Tensor | undefined
  /** K for one scale a row. */
  readonly groupSize: number
  /** Dtype of the weight that this stands for. */
  readonly dtype: FloatDType
}

export const INT4_RANGE: CodeRange = { min: 0, max: 15 }
/** The int4 code of value 0 where there is no zero point. */
export const INT4_CENTER = 8

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function readInt4Codes({ codes, scale, zeroPoint, groupSize }: Int4Codes): Groups {
  const [n, k] = checkCodes(codes, 'uint8', groupSize)
  const shape = [k / groupSize, n]
  const rows = transposed(readScale(scale, shape), k / groupSize, n)
  const array = hostArray(codes) as Uint8Array
  if (array.some((code) => code > INT4_RANGE.max)) {
    throw new ValueError({
      package: PACKAGE,
      expected: 'codes of 0 to 15',
      got: String(array.find((code) => code > INT4_RANGE.max)),
    })
  }
  const center = new Float64Array(rows.length).fill(INT4_CENTER)
  const groups = { n, k, groupSize, codes: array, scale: rows, zeroPoint: center }
  if (!zeroPoint) return groups
  const values = transposed(readFinite('zero points', zeroPoint.values, shape), k / groupSize, n)
  const inCodes = zeroPoint.domain === 'INT' ? Float64Array.from(values) : toCodes(values, rows)
  return { ...groups, zeroPoint: inCodes }
}

/** Floating zero points, the value of code 8, as the code of value 0. */
function toCodes(values: Float32Array, scale: Float32Array): Float64Array {
  return Float64Array.from(values, (value, i) => {
    const divisor = scale[i] as number
    if (divisor !== 0 || value === 0)
      return value === 0 ? INT4_CENTER : INT4_CENTER - value / divisor
    throw new ValueError({
      package: PACKAGE,
      expected: 'scales other than 0 where zero points are not 0',
      got: `zero point ${value} with scale 0`,
    })
  })
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function readGroupedInt8Codes({
  codes,
  scale,
  zeroPoint,
  groupSize,
}: GroupedInt8Codes): Groups {
  const [n, k] = checkCodes(codes, 'int8', groupSize)
  const shape = [n, k / groupSize]
  const scales = readScale(scale, shape).slice()
  const groups = { n, k, groupSize, codes: hostArray(codes) as Int8Array, scale: scales }
  if (!zeroPoint) return { ...groups, zeroPoint: new Float64Array(scales.length) }
  if (zeroPoint.dtype !== 'int8') {
    throw new DTypeError({
      package: PACKAGE,
      expected: 'zero points of int8',
      got: zeroPoint.dtype,
    })
  }
  return { ...groups, zeroPoint: Float64Array.from(readFinite('zero points', zeroPoint, shape)) }
}

/** What int4 codes in groups become: their zero points as whole numbers, or none when all are 8. */
export function writeInt4Codes(groups: Groups, dtype: FloatDType): Int4Codes {
  const { n, k, groupSize, scale, zeroPoint } = groups
  const shape = [k / groupSize, n]
  const values = transposed(Float32Array.from(zeroPoint), n, k / groupSize)
  return {
    codes: fromArray(groups.codes, [n, k], 'uint8'),
    scale: fromFloat32(transposed(scale, n, k / groupSize), shape, dtype),
    zeroPoint: zeroPoint.every((value) => value === INT4_CENTER)
      ? undefined
      : { domain: 'INT', values: fromFloat32(values, shape, 'uint8') },
    groupSize,
    dtype,
  }
}

/** As {@link writeInt4Codes}, with zero points as float32 values: for those that are not whole numbers. */
export function writeFloatInt4Codes(groups: Groups): Int4Codes {
  const { n, k, groupSize, scale, zeroPoint } = groups
  const values = Float32Array.from(
    zeroPoint,
    (code, i) => (INT4_CENTER - code) * (scale[i] as number),
  )
  const centered = { ...groups, zeroPoint: new Float64Array(zeroPoint.length).fill(INT4_CENTER) }
  return {
    ...writeInt4Codes(centered, 'float32'),
    zeroPoint: {
      domain: 'FLOAT',
      values: fromFloat32(transposed(values, n, k / groupSize), [k / groupSize, n], 'float32'),
    },
  }
}

/** What int8 codes in groups become; no zero point when all are 0. */
export function writeGroupedInt8Codes(groups: Groups, dtype: FloatDType): GroupedInt8Codes {
  const { n, k, groupSize, scale, zeroPoint } = groups
  const shape = [n, k / groupSize]
  return {
    codes: fromArray(groups.codes, [n, k], 'int8'),
    scale: fromFloat32(scale, shape, dtype),
    zeroPoint: zeroPoint.every((value) => value === 0)
      ? undefined
      : fromFloat32(Float32Array.from(zeroPoint), shape, 'int8'),
    groupSize,
    dtype,
  }
}

/** `values` (rows, columns) as (columns, rows). */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j] as number
  }
  return out
}

/** N and K of codes that are of `dtype` and in groups of `groupSize`. */
function checkCodes(codes: Tensor, dtype: StoredDType, groupSize: number): [number, number] {
  const [n = 0, k = 0] = codes.shape
  const fits = codes.shape.length === 2 && groupSize >= 1 && k % groupSize === 0
  if (codes.dtype === dtype && fits) return [n, k]
  throw new ShapeError({
    package: PACKAGE,
    expected: `codes of ${dtype} (N, K) with K a multiple of the group size ${groupSize}`,
    got: describe(codes),
    ...(codes.shape.length === 3 && { cure: 'Convert experts one by one: weight.select(0, e).' }),
  })
}

function readScale(scale: Tensor, shape: readonly number[]): Float32Array {
  if (isFloatDType(scale.dtype)) return readFinite('scales', scale, shape)
  throw new DTypeError({ package: PACKAGE, expected: 'floating scales', got: scale.dtype })
}

/** The elements of a tensor that has one for each group. */
function readFinite(what: string, tensor: Tensor, shape: readonly number[]): Float32Array {
  if (tensor.shape.join() !== shape.join()) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `${what} of shape [${shape.join(', ')}], one a group`,
      got: `[${tensor.shape.join(', ')}]`,
    })
  }
  const values = hostFloat32(tensor)
  const bad = values.find((value) => !Number.isFinite(value))
  if (bad === undefined) return values
  throw new ValueError({ package: PACKAGE, expected: `finite ${what}`, got: String(bad) })
}
