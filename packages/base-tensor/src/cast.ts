/**
 * @file Casts between stored dtypes, with PyTorch's rules.
 *
 * Floating targets round to nearest, ties to even. Integer targets cut toward zero; out of range they
 * wrap (8 and 16 bits) or become -2^31 (int32), as PyTorch's CPU does. NaN becomes 0, or -2^31 for int32.
 */

import { asDense, DenseTensor, fromArray, hostArray, zeros } from './dense-tensor.ts'
import { newArray, type StoredDType, type TypedArray } from './dtype.ts'
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
  switch (dtype) {
    case 'float32':
      return array as Float32Array
    case 'bfloat16': {
      const bits = new Uint32Array(array.length)
      const source = array as Uint16Array
      for (let i = 0; i < bits.length; i++) bits[i] = (source[i] as number) << 16
      return new Float32Array(bits.buffer)
    }
    case 'float16':
      return decode(array as Uint16Array, fromFloat16Bits)
    case 'float8_e4m3fn':
      return decode(array as Uint8Array, fromFloat8E4m3Bits)
    case 'float8_e5m2':
      return decode(array as Uint8Array, fromFloat8E5m2Bits)
    case 'int64':
      return Float32Array.from(array as BigInt64Array, Number)
    default:
      return Float32Array.from(array as Int32Array)
  }
}

function decode(bits: Uint16Array | Uint8Array, value: (bits: number) => number): Float32Array {
  const out = new Float32Array(bits.length)
  for (let i = 0; i < out.length; i++) out[i] = value(bits[i] as number)
  return out
}

/** float32 numbers as elements of `dtype`; `values` itself when that is float32. */
export function fromFloat32Array(values: Float32Array, dtype: StoredDType): TypedArray {
  if (dtype === 'float32') return values
  const out = newArray(dtype, values.length)
  const n = values.length
  switch (dtype) {
    case 'bfloat16': {
      const bits = new Uint32Array(values.buffer, values.byteOffset, n)
      for (let i = 0; i < n; i++) out[i] = float32BitsToBfloat16(bits[i] as number)
      return out
    }
    case 'float16': {
      const bits = new Uint32Array(values.buffer, values.byteOffset, n)
      for (let i = 0; i < n; i++) out[i] = float32BitsToFloat16(bits[i] as number)
      return out
    }
    case 'float8_e4m3fn':
      for (let i = 0; i < n; i++) out[i] = toFloat8E4m3Bits(values[i] as number)
      return out
    case 'float8_e5m2':
      for (let i = 0; i < n; i++) out[i] = toFloat8E5m2Bits(values[i] as number)
      return out
    case 'int64':
      for (let i = 0; i < n; i++) (out as BigInt64Array)[i] = toInt64(values[i] as number)
      return out
    case 'int32':
      for (let i = 0; i < n; i++) out[i] = toInt32(values[i] as number)
      return out
    case 'bool':
      for (let i = 0; i < n; i++) out[i] = values[i] === 0 ? 0 : 1
      return out
    default:
      // Typed arrays cut toward zero and wrap; NaN and infinities become 0.
      out.set(values as never)
      return out
  }
}

/** A number as int32, as PyTorch's CPU casts: cut toward zero; NaN and out of range give -2^31. */
export function toInt32(value: number): number {
  return value > -2147483649 && value < 2147483648 ? Math.trunc(value) : -2147483648
}

function toInt64(value: number): bigint {
  const inRange = value >= -9223372036854775808 && value < 9223372036854775808
  return inRange ? BigInt(Math.trunc(value)) : -9223372036854775808n
}

/** The elements of `array` as `to`; `array` itself when the dtypes are equal. */
export function castArray(array: TypedArray, from: StoredDType, to: StoredDType): TypedArray {
  if (from === to) return array
  // Between integers no float may come in between: float32 holds 24 bits only.
  if (isInteger(from) && isInteger(to)) return castIntegers(array, to)
  return fromFloat32Array(toFloat32Array(array, from), to)
}

function isInteger(dtype: StoredDType): boolean {
  return dtype.includes('int')
}

function castIntegers(array: TypedArray, to: StoredDType): TypedArray {
  const out = newArray(to, array.length)
  for (let i = 0; i < out.length; i++) {
    const value = array[i] as number | bigint
    out[i] = (to === 'int64' ? BigInt(value) : Number(BigInt.asIntN(32, BigInt(value)))) as never
  }
  return out
}

/** `tensor` with elements of another dtype; itself when it has that dtype already. */
export const cast: Op<[tensor: Tensor, dtype: StoredDType], Tensor> = /* @__PURE__ */ defineOp({
  name: 'cast',
  reference: (tensor: Tensor, dtype: StoredDType): Tensor =>
    tensor.dtype === dtype
      ? tensor
      : fromArray(castArray(hostArray(tensor), tensor.dtype, dtype), tensor.shape, dtype),
  meta: (tensor: Tensor, dtype: StoredDType): Tensor => zeros(tensor.shape, dtype, tensor.device),
})

/** The elements of a CPU tensor as float32 numbers. Do not write into the array: it may be storage. */
export function hostFloat32(tensor: Tensor): Float32Array {
  return toFloat32Array(hostArray(tensor), tensor.dtype)
}

/** A CPU tensor of `dtype` from float32 numbers, rounded. Keeps `values` when dtype is float32. */
export function fromFloat32(
  values: Float32Array,
  shape: readonly number[],
  dtype: StoredDType,
): DenseTensor {
  return fromArray(fromFloat32Array(values, dtype), shape, dtype)
}

/** Reads any tensor's elements as numbers, from any device. Dequantize tensor subclasses first. */
export async function readFloat32(tensor: Tensor): Promise<Float32Array> {
  return toFloat32Array(await asDense(tensor).data(), tensor.dtype)
}

/**
 * A dense CPU tensor from numbers.
 *
 * @param values - row-major; nested arrays give the shape when `shape` is left out
 * @param dtype - float32 unless given; numbers round to it
 */
export function tensor(
  values: Float32Array | NestedNumbers,
  options: { readonly shape?: readonly number[]; readonly dtype?: StoredDType } = {},
): DenseTensor {
  const nestedShape: number[] = []
  for (let level: unknown = values; Array.isArray(level) || level instanceof Float32Array; ) {
    nestedShape.push(level.length)
    level = level[0]
  }
  const flat =
    values instanceof Float32Array
      ? values
      : Float64Array.from((Array.isArray(values) ? values : [values]).flat(Infinity) as number[])
  const shape = options.shape ?? nestedShape
  const dtype = options.dtype ?? 'float32'
  if (flat instanceof Float32Array) return fromFloat32(flat.slice(), shape, dtype)
  if (dtype === 'int32' || dtype === 'int64') {
    const convert = dtype === 'int32' ? toInt32 : toInt64
    const out = newArray(dtype, flat.length)
    flat.forEach((value, i) => (out[i] = convert(value)))
    return fromArray(out, shape, dtype)
  }
  return fromFloat32(Float32Array.from(flat), shape, dtype)
}

/** A number or rows of numbers, to any depth. */
export type NestedNumbers = number | readonly NestedNumbers[]
