/** @file Which codes a dtype has, and how a range of numbers is mapped to them. */

import {
  DTypeError,
  enumCodec,
  finfo,
  iinfo,
  isFloat8DType,
  ValueError,
  type DType,
  type JsonCodec,
  type StoredDType,
  takes,
} from '@ao/base-tensor'

import { fail } from './errors.ts'
const MAPPING_TYPES = ['SYMMETRIC', 'SYMMETRIC_NO_CLIPPING_ERR', 'ASYMMETRIC'] as const

/**
 * How floating values are mapped to codes; torchao's `MappingType`.
 *
 * - `SYMMETRIC`: around zero; the scale is amax / ((quantMax - quantMin) / 2), so the largest positive
 *   value may be clipped.
 * - `SYMMETRIC_NO_CLIPPING_ERR`: around zero, with a scale that clips neither end.
 * - `ASYMMETRIC`: from the smallest to the largest value, with a zero point.
 */
export type MappingType = (typeof MAPPING_TYPES)[number]

/** {@link MappingType} in torchao's JSON. */
export const mappingTypeCodec: JsonCodec<MappingType> = /* @__PURE__ */ enumCodec(
  'MappingType',
  MAPPING_TYPES,
)

/** The smallest and largest code, both included. */
export interface QuantBounds {
  readonly quantMin: number
  readonly quantMax: number
}

/** Bounds that a caller may give; the dtype's own where left out. */
export interface QuantBoundsOptions {
  /** The lowest code; that of the dtype unless given. */
  readonly quantMin?: number | undefined
  /** The highest code; that of the dtype unless given. */
  readonly quantMax?: number | undefined
}

/**
 * The codes of `dtype`, or the part of them that `options` asks for.
 *
 * torchao's `_DTYPE_TO_QVALUE_BOUNDS` and `_get_and_check_qmin_qmax`: `int4` has -8..7, `uint8` 0..255,
 * `float8_e4m3fn` -448..448.
 *
 * @throws {@link DTypeError} for dtypes that are no target of quantization: int64, bool, floats
 * @throws {@link ValueError} when asked for codes that the dtype does not have
 */
export function quantBounds(dtype: DType, options: QuantBoundsOptions = {}): QuantBounds {
  takes('zo?', dtype, options)
  const { min, max } = codeRange(dtype)
  const { quantMin = min, quantMax = max } = options
  if (quantMin < min || quantMax > max) {
    throw fail(
      ValueError,
      `quantMin and quantMax within ${min}..${max}, the range of ${dtype}`,
      `${quantMin}..${quantMax}`,
    )
  }
  return { quantMin, quantMax }
}

function codeRange(dtype: DType): { min: number; max: number } {
  if (isFloat8DType(dtype)) return { min: -finfo(dtype).max, max: finfo(dtype).max }
  if (dtype.includes('int') && dtype !== 'int64') return iinfo(dtype)
  throw fail(DTypeError, 'a dtype to quantize to: an integer of at most 32 bits or float8', dtype)
}

/**
 * The dtype in which codes of `dtype` are stored: `uint1` to `uint7` lie in `uint8`.
 *
 * @throws {@link DTypeError} for `int1` to `int7`, which have no cast
 */
export function codeStorage(dtype: DType): StoredDType {
  if (/^uint[1-7]$/.test(dtype)) return 'uint8'
  if (!/^int[1-7]$/.test(dtype)) return dtype as StoredDType
  const { quantMin, quantMax } = quantBounds(dtype)
  throw fail(
    DTypeError,
    'an output dtype that tensors can have',
    dtype,
    `Use int8 with quantMin ${quantMin} and quantMax ${quantMax}.`,
  )
}
