/**
 * @file The number types.
 *
 * A *stored* dtype says how a tensor's bytes are read. A *logical* dtype (`int4`, `uint3`, ...) names
 * a range of codes: tensors that hold such codes are stored as `int8` or `uint8`.
 *
 * float16, bfloat16 and the float8 types are held as their bits in unsigned arrays, because
 * JavaScript engines do not all have `Float16Array` and none has the others.
 */

import { DTypeError, ValueError, fail } from './errors.ts'

/** Dtypes that a tensor's storage can have. */
export type StoredDType =
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float8_e4m3fn'
  | 'float8_e5m2'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'bool'

/** Dtypes that only name a range of integer codes. */
export type LogicalDType = `int${SubByteBits}` | `uint${SubByteBits}`
type SubByteBits = 1 | 2 | 3 | 4 | 5 | 6 | 7

/** All dtypes: those that tensors are stored in, and those that name a range of codes. */
export type DType = StoredDType | LogicalDType

/** The floating dtypes that arithmetic runs in; each operation rounds its result to one of them. */
export type FloatDType = 'float32' | 'float16' | 'bfloat16'

/** The float8 dtypes: 4 bits of exponent and 3 of mantissa without infinities, or 5 and 2. */
export type Float8DType = 'float8_e4m3fn' | 'float8_e5m2'

/** The typed array that holds a stored dtype. */
export type TypedArray =
  Float32Array | Uint16Array | Uint8Array | Int8Array | Int16Array | Int32Array | BigInt64Array

interface ArrayOf {
  float32: Float32Array
  float16: Uint16Array
  bfloat16: Uint16Array
  float8_e4m3fn: Uint8Array
  float8_e5m2: Uint8Array
  int8: Int8Array
  uint8: Uint8Array
  int16: Int16Array
  int32: Int32Array
  int64: BigInt64Array
  bool: Uint8Array
}

/** The typed array of one dtype: `Int8Array` for `'int8'`, the bits' `Uint16Array` for `'bfloat16'`. */
export type TypedArrayOf<D extends StoredDType> = ArrayOf[D]

const ARRAY_TYPES: {
  readonly [D in StoredDType]: {
    readonly name: string
    readonly BYTES_PER_ELEMENT: number
    new (length: number): TypedArrayOf<D>
  }
} = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float8_e4m3fn: Uint8Array,
  float8_e5m2: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
}

/** All stored dtypes, widest use first. */
export const STORED_DTYPES: readonly StoredDType[] = /* @__PURE__ */ Object.freeze(
  /* @__PURE__ */ Object.keys(ARRAY_TYPES),
) as readonly StoredDType[]

/** Bytes of one element. */
export function itemSize(dtype: StoredDType): number {
  return arrayType(dtype).BYTES_PER_ELEMENT
}

/** A new zeroed array that holds `length` elements of `dtype`. */
export function newArray<D extends StoredDType>(dtype: D, length: number): TypedArrayOf<D> {
  const ArrayType = arrayType(dtype)
  try {
    return new ArrayType(length)
  } catch (error) {
    if (!(error instanceof RangeError) && Number.isInteger(length)) throw error
    throw fail(ValueError, `a number of elements of ${dtype} that memory can hold`, length)
  }
}

/** @throws {@link DTypeError} unless `dtype` is one that a tensor can be stored in */
function arrayType<D extends StoredDType>(dtype: D): (typeof ARRAY_TYPES)[D] {
  if (isStoredDType(dtype)) return ARRAY_TYPES[dtype]
  throw fail(DTypeError, `a dtype among ${STORED_DTYPES.join(', ')}`, dtype ?? 'none')
}

/** Whether `array` is of the type that holds `dtype`, also when it comes from another realm. */
export function isArrayOf(array: TypedArray, dtype: StoredDType): boolean {
  return array[Symbol.toStringTag] === arrayType(dtype).name
}

/**
 * The elements of `dtype` that `bytes` holds, without a copy where alignment allows.
 *
 * @param bytes - little-endian data
 * @throws {@link ValueError} unless the length is a multiple of the element size
 */
export function arrayFromBytes<D extends StoredDType>(
  dtype: D,
  bytes: Uint8Array,
): TypedArrayOf<D> {
  const size = itemSize(dtype)
  if (!ArrayBuffer.isView(bytes)) throw fail(ValueError, 'a Uint8Array', bytes)
  if (bytes.byteLength % size !== 0) {
    throw fail(ValueError, `a multiple of ${size} bytes for ${dtype}`, bytes.byteLength)
  }
  // Not `slice`, which on a Node Buffer copies nothing.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  const ArrayType = ARRAY_TYPES[dtype] as unknown as new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => TypedArrayOf<D>
  return new ArrayType(aligned.buffer, aligned.byteOffset, aligned.byteLength / size)
}

/** Whether `name` is a dtype that a tensor can be stored in. */
export function isStoredDType(name: unknown): name is StoredDType {
  return typeof name === 'string' && Object.hasOwn(ARRAY_TYPES, name)
}

/** Whether `name` is a dtype, stored or logical. */
export function isDType(name: unknown): name is DType {
  return isStoredDType(name) || (typeof name === 'string' && /^u?int[1-7]$/.test(name))
}

/** All of {@link FloatDType}. */
export const FLOAT_DTYPES: readonly FloatDType[] = ['float32', 'float16', 'bfloat16']

/** Whether arithmetic runs in `dtype`: float32, float16 or bfloat16. */
export function isFloatDType(dtype: DType): dtype is FloatDType {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16'
}

/** Whether `dtype` is one of the float8 dtypes. */
export function isFloat8DType(dtype: DType): dtype is Float8DType {
  return dtype === 'float8_e4m3fn' || dtype === 'float8_e5m2'
}

/** Limits of a floating dtype, as `torch.finfo`. */
export interface FloatInfo {
  /** The distance from 1 to the next number. */
  readonly eps: number
  /** The smallest number with full precision; also called tiny. */
  readonly smallestNormal: number
  /** The largest finite number. */
  readonly max: number
}

const FLOAT_INFO: { readonly [D in FloatDType | Float8DType]: FloatInfo } = {
  float32: { eps: 2 ** -23, smallestNormal: 2 ** -126, max: (2 - 2 ** -23) * 2 ** 127 },
  float16: { eps: 2 ** -10, smallestNormal: 2 ** -14, max: 65504 },
  bfloat16: { eps: 2 ** -7, smallestNormal: 2 ** -126, max: (2 - 2 ** -7) * 2 ** 127 },
  float8_e4m3fn: { eps: 2 ** -3, smallestNormal: 2 ** -6, max: 448 },
  float8_e5m2: { eps: 2 ** -2, smallestNormal: 2 ** -14, max: 57344 },
}

/** Limits of a floating dtype. */
export function finfo(dtype: FloatDType | Float8DType): FloatInfo {
  if (isFloatDType(dtype) || isFloat8DType(dtype)) return FLOAT_INFO[dtype]
  throw fail(DTypeError, 'a floating dtype', dtype)
}

/** Range of an integer dtype, stored or logical, both ends included. */
export interface IntInfo {
  readonly bits: number
  readonly min: number
  readonly max: number
}

/**
 * Range of an integer dtype: `int4` is -8..7, `uint3` is 0..7.
 *
 * @throws {@link DTypeError} for floating dtypes, bool and int64 (whose ends are not JavaScript numbers)
 */
export function iinfo(dtype: DType): IntInfo {
  const match = /^(u?)int(\d+)$/.exec(typeof dtype === 'string' ? dtype : '')
  const bits = Number(match?.[2])
  if (!match || bits > 32) {
    throw fail(DTypeError, 'an integer dtype of at most 32 bits', dtype)
  }
  return match[1] === 'u'
    ? { bits, min: 0, max: 2 ** bits - 1 }
    : { bits, min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }
}
