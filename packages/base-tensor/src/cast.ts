/**
 * @file Casts between stored dtypes, with PyTorch's rules.
 *
 * Floating targets round to nearest, ties to even. Integer targets cut toward zero; out of range they
 * wrap (8 and 16 bits) or become -2^31 (int32), as PyTorch's CPU does. NaN becomes 0, or -2^31 for int32.
 */

import { takes } from './takes.ts'
import { asDense, denseOf, fromArray, hostArray, zeros, type DenseTensor } from './dense-tensor.ts'
import { ShapeError, ValueError, fail } from './errors.ts'
import { newArray, type FloatDType, type StoredDType, type TypedArray } from './dtype.ts'
import {
  fromFloat16Bits,
  fromFloat8E4m3Bits,
  fromFloat8E5m2Bits,
  float32BitsToBfloat16,
  float32BitsToFloat16,
  toFloat8E4m3Bits,
  toFloat8E5m2Bits,
} from './float-bits.ts'
import { defineOp, type Op } from './op.ts'
import type { Tensor } from './tensor.ts'

/**
 * The elements as float32 numbers; `array` itself when it is float32 already. int32 and int64 round to
 * nearest where float32 cannot hold them.
 */
export function toFloat32Array(array: TypedArray, dtype: StoredDType): Float32Array {
  takes('az', array, dtype)
  return decoded(array, dtype)
}

function decoded(array: TypedArray, dtype: StoredDType): Float32Array {
  if (dtype === 'float32') return array as Float32Array
  const out = new Float32Array(array.length)
  decodeInto(out, array, dtype)
  return out
}

/** Writes the elements of `array`, of `dtype`, into `out` as float32 numbers. */
export function decodeInto(out: Float32Array, array: TypedArray, dtype: StoredDType): void {
  switch (dtype) {
    case 'bfloat16':
      return decodeBfloat16(out, array as Uint16Array)
    case 'float16':
      return decodeFloat16(out, array as Uint16Array)
    case 'float8_e4m3fn':
      return decodeFloat8(out, array as Uint8Array, fromFloat8E4m3Bits)
    case 'float8_e5m2':
      return decodeFloat8(out, array as Uint8Array, fromFloat8E5m2Bits)
    case 'int64':
      return out.set(Float32Array.from(array as BigInt64Array, Number))
    default:
      return out.set(array as Int32Array)
  }
}

// One function for each loop: each then sees one kind of array, which makes it several times faster.

function decodeBfloat16(out: Float32Array, source: Uint16Array): void {
  const bits = new Int32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < bits.length; i++) bits[i] = (source[i] as number) << 16
}

// Made at first use: 256 KiB.
let float16Values: Float32Array | undefined

function decodeFloat16(out: Float32Array, source: Uint16Array): void {
  const values = (float16Values ??= valuesOf(65536, fromFloat16Bits))
  for (let i = 0; i < out.length; i++) out[i] = values[source[i] as number] as number
}

function decodeFloat8(
  out: Float32Array,
  source: Uint8Array,
  value: (bits: number) => number,
): void {
  const values = valuesOf(256, value)
  for (let i = 0; i < out.length; i++) out[i] = values[source[i] as number] as number
}

function valuesOf(codes: number, value: (bits: number) => number): Float32Array {
  const values = new Float32Array(codes)
  for (let bits = 0; bits < codes; bits++) values[bits] = value(bits)
  return values
}

/** float32 numbers as elements of `dtype`; `values` itself when that is float32. */
export function fromFloat32Array(values: Float32Array, dtype: StoredDType): TypedArray {
  takes('az', values, dtype)
  return encoded(values, dtype)
}

function encoded(values: Float32Array, dtype: StoredDType): TypedArray {
  switch (dtype) {
    case 'float32':
      return values
    case 'bfloat16':
      return encodeBfloat16(values)
    case 'float16':
      return encodeFloat16(values)
    case 'float8_e4m3fn':
      return encode(new Uint8Array(values.length), values, toFloat8E4m3Bits)
    case 'float8_e5m2':
      return encode(new Uint8Array(values.length), values, toFloat8E5m2Bits)
    case 'int64':
      return BigInt64Array.from(values as never, toInt64)
    case 'int32':
      return encode(new Int32Array(values.length), values, toInt32)
    case 'bool':
      return encode(new Uint8Array(values.length), values, (value) => (value === 0 ? 0 : 1))
    default: {
      // Typed arrays cut toward zero and wrap; NaN and infinities become 0.
      const out = newArray(dtype, values.length)
      out.set(values as never)
      return out
    }
  }
}

/** Rounds all values to `dtype`, in place. */
export function roundArray(values: Float32Array, dtype: FloatDType): void {
  takes('az', values, dtype)
  if (dtype !== 'float32') values.set(toFloat32Array(fromFloat32Array(values, dtype), dtype))
}

function encodeBfloat16(values: Float32Array): Uint16Array {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(bits.length)
  for (let i = 0; i < out.length; i++) out[i] = float32BitsToBfloat16(bits[i] as number)
  return out
}

function encodeFloat16(values: Float32Array): Uint16Array {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length)
  const out = new Uint16Array(bits.length)
  for (let i = 0; i < out.length; i++) out[i] = float32BitsToFloat16(bits[i] as number)
  return out
}

function encode<A extends Uint8Array | Int32Array>(
  out: A,
  values: Float32Array,
  code: (value: number) => number,
): A {
  for (let i = 0; i < out.length; i++) out[i] = code(values[i] as number)
  return out
}

/** A number as int32, as PyTorch's CPU casts: cut toward zero; NaN and out of range give -2^31. */
export function toInt32(value: number): number {
  return value > -2147483649 && value < 2147483648 ? value | 0 : -2147483648
}

function toInt64(value: number): bigint {
  const inRange = value >= -9223372036854775808 && value < 9223372036854775808
  return inRange ? BigInt(Math.trunc(value)) : -9223372036854775808n
}

/** The elements of `array` as `to`; `array` itself when the dtypes are equal. */
export function castArray(array: TypedArray, from: StoredDType, to: StoredDType): TypedArray {
  takes('azz', array, from, to)
  if (from === to) return array
  // Between integers no float may come in between: float32 holds 24 bits only.
  if (isInteger(from) && isInteger(to)) return castIntegers(array, from, to)
  return fromFloat32Array(toFloat32Array(array, from), to)
}

function isInteger(dtype: StoredDType): boolean {
  return dtype.includes('int')
}

function castIntegers(array: TypedArray, from: StoredDType, to: StoredDType): TypedArray {
  if (to === 'int64') return BigInt64Array.from(array as Int32Array, BigInt)
  const out = newArray(to, array.length)
  const numbers =
    from === 'int64'
      ? Int32Array.from(array as BigInt64Array, (value) => Number(BigInt.asIntN(32, value)))
      : array
  out.set(numbers as never) // typed arrays wrap
  return out
}

/** `tensor` with elements of another dtype; itself when it has that dtype already. */
export const cast: Op<[tensor: Tensor, dtype: StoredDType], Tensor> = /* @__PURE__ */ defineOp({
  name: 'cast',
  takes: 'tz',
  reference: (tensor: Tensor, dtype: StoredDType): Tensor =>
    tensor.dtype === dtype
      ? tensor
      : fromArray(castArray(hostArray(tensor), tensor.dtype, dtype), tensor.shape, dtype),
  meta: (tensor: Tensor, dtype: StoredDType): Tensor => zeros(tensor.shape, dtype, tensor.device),
})

/** The elements of a CPU tensor as float32 numbers. Do not write into the array: it may be storage. */
export function hostFloat32(tensor: Tensor): Float32Array {
  return decoded(hostArray(tensor), tensor.dtype as StoredDType)
}

/** A CPU tensor of `dtype` from float32 numbers, rounded. Keeps `values` when dtype is float32. */
export function fromFloat32(
  values: Float32Array,
  shape: readonly number[],
  dtype: StoredDType,
): DenseTensor {
  takes('asz', values, shape, dtype)
  return denseOf(encoded(values, dtype), shape, dtype)
}

/** Reads any tensor's elements as numbers, from any device. Dequantize tensor subclasses first. */
export async function readFloat32(tensor: Tensor): Promise<Float32Array> {
  takes('t', tensor)
  return toFloat32Array(await asDense(tensor).data(), tensor.dtype)
}

/**
 * A dense CPU tensor from numbers.
 *
 * @param values - row-major; nested arrays give the shape when `shape` is left out
 * @param options - the shape, and the dtype to which numbers round: float32 unless given
 */
export function tensor(
  values: Float32Array | NestedNumbers,
  options: { readonly shape?: readonly number[]; readonly dtype?: StoredDType } = {},
): DenseTensor {
  takes('.o{shape dtype}?', values, options)
  const nestedShape: number[] = []
  const { shape = nestedShape, dtype = 'float32' } = options
  const numbers = flatten(values, nestedShape)
  // Large integers must not lose digits to float32.
  const exact = dtype === 'int32' || dtype === 'int64' ? numbers : new Float32Array(numbers)
  return fromArray(fromFloat32Array(exact as Float32Array, dtype), shape, dtype)
}

/** The numbers of nested rows, one after the other; the length of the rows of each level goes to `shape`. */
function flatten(values: unknown, shape: number[]): Float64Array {
  let items: readonly unknown[] = [values]
  while (isRow(items[0])) {
    const { length } = items[0]
    const stray = items.find((row) => !isRow(row) || row.length !== length)
    if (stray !== undefined) {
      const got = isRow(stray) ? `one of ${stray.length}` : String(stray)
      throw fail(ShapeError, `rows of ${length} numbers each, as the first has`, got)
    }
    shape.push(length)
    items = items.flatMap((row) => Array.from(row as ArrayLike<unknown>))
  }
  const stray = items.findIndex((item) => typeof item !== 'number' && typeof item !== 'boolean')
  if (stray >= 0) throw fail(ValueError, 'numbers in a tensor', items[stray] ?? 'nothing')
  return Float64Array.from(items as number[])
}

function isRow(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)
}

/** A number or rows of numbers, to any depth. */
export type NestedNumbers = number | readonly NestedNumbers[]
