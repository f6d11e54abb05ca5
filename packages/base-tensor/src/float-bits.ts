/**
 * @file Bits of the short floating types.
 *
 * All encoders round to nearest, ties to even, exactly as PyTorch's casts. The scalar functions are
 * the definition; array versions live in `cast.ts`.
 */

import type { FloatDType } from './dtype.ts'
import { ValueError, fail } from './errors.ts'

const f32 = new Float32Array(1)
// Signed, because engines keep int32 in a register and turn larger numbers into doubles.
const i32 = new Int32Array(f32.buffer)

// What is left to multiply with when a short type's bits are moved to float32's place: 2^(127 - bias).
const FLOAT16_SCALE = 2 ** 112
const FLOAT8_E4M3_SCALE = 2 ** 120

// A symbol or a bigint would end in an error of the engine.
function number(value: number): number {
  if (typeof value === 'number') return value
  throw fail(ValueError, 'a number', value)
}

/** The bits of `x` as a float32, as an int32. */
export function float32ToBits(x: number): number {
  f32[0] = number(x)
  return i32[0] as number
}

/** The float32 that has these bits. */
export function bitsToFloat32(bits: number): number {
  i32[0] = bits
  return f32[0] as number
}

/** float32 bits to bfloat16 bits. NaN becomes 0xffff, as in PyTorch's casts of arrays on the CPU. */
export function float32BitsToBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return 0xffff
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

/** The bits of `x` rounded to bfloat16. */
export function toBfloat16Bits(x: number): number {
  return float32BitsToBfloat16(float32ToBits(x))
}

/** The number that bits of bfloat16 stand for. */
export function fromBfloat16Bits(bits: number): number {
  return bitsToFloat32(number(bits) << 16)
}

/** float32 bits to float16 bits; beyond 65504 (after rounding) to infinity. */
export function float32BitsToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const abs = bits & 0x7fffffff
  if (abs >= 0x47800000) return sign | (abs > 0x7f800000 ? 0x7e00 : 0x7c00) // NaN, 2^16 and more
  return sign | roundBits(abs, 10, 15)
}

/**
 * The code, without its sign, of a type with `mantissaBits` and `bias` that is nearest to a float32.
 * Exponent and mantissa are one number, so that a carry rounds up into the next power of two.
 *
 * @param abs - float32 bits without sign, of a number within the type's range
 */
function roundBits(abs: number, mantissaBits: number, bias: number): number {
  const dropped = 23 - mantissaBits
  const rebias = (127 - bias) << 23
  if (abs >= rebias + 0x800000) {
    return (abs - rebias + (1 << (dropped - 1)) - 1 + ((abs >>> dropped) & 1)) >>> dropped
  }
  // Subnormal: adding the power of two whose last bit is their step makes the processor round.
  const magic = (127 + 24 - bias - mantissaBits) << 23
  const step = bitsToFloat32(magic)
  return float32ToBits(bitsToFloat32(abs) + step) - magic
}

/** The bits of `x` rounded to float16; beyond 65504 (after rounding) infinity. */
export function toFloat16Bits(x: number): number {
  return float32BitsToFloat16(float32ToBits(x))
}

/** The number that bits of float16 stand for. */
export function fromFloat16Bits(bits: number): number {
  const value = bitsToFloat32(((number(bits) & 0x8000) << 16) | ((bits & 0x7fff) << 13))
  if ((bits & 0x7c00) === 0x7c00) return bits & 0x3ff ? NaN : value * Infinity
  return value * FLOAT16_SCALE
}

/** `x` rounded to float16, as a number. */
export function roundToFloat16(x: number): number {
  return fromFloat16Bits(toFloat16Bits(x))
}

/** `x` rounded to bfloat16 (through float32, as PyTorch does), as a number. */
export function roundToBfloat16(x: number): number {
  return fromBfloat16Bits(toBfloat16Bits(x))
}

/**
 * The function that rounds a number to `dtype`: apply it to the result of every arithmetic step to
 * compute as PyTorch does on tensors of that dtype.
 */
export function rounder(dtype: FloatDType): (x: number) => number {
  if (dtype === 'float32') return Math.fround
  return dtype === 'float16' ? roundToFloat16 : roundToBfloat16
}

/**
 * `x` rounded to an integer, ties to even, as `torch.round`. `Math.round` sends ties up and is not it.
 */
export function roundHalfToEven(x: number): number {
  // Adding and taking away 2^52 leaves an integer, rounded by the processor to nearest even.
  if (Math.abs(number(x)) >= 4503599627370496) return x
  const magic = x < 0 ? -4503599627370496 : 4503599627370496
  const rounded = x + magic - magic
  return rounded === 0 ? x * 0 : rounded // keeps the sign of -0.3 and -0
}

/** float32 value to float8_e4m3fn bits. Beyond 464 the result is NaN: clamp to 448 to saturate. */
export function toFloat8E4m3Bits(x: number): number {
  const bits = float32ToBits(x)
  const abs = bits & 0x7fffffff
  return ((bits >>> 24) & 0x80) | (abs > 0x43e80000 ? 0x7f : roundBits(abs, 3, 7))
}

/** float32 value to float8_e5m2 bits. At 61440 and more the result is infinity. */
export function toFloat8E5m2Bits(x: number): number {
  const bits = float32ToBits(x)
  const abs = bits & 0x7fffffff
  const sign = (bits >>> 24) & 0x80
  if (abs >= 0x47700000) return sign | (abs > 0x7f800000 ? 0x7f : 0x7c)
  return sign | roundBits(abs, 2, 15)
}

/** The number that bits of float8_e4m3fn stand for. */
export function fromFloat8E4m3Bits(bits: number): number {
  if ((number(bits) & 0x7f) === 0x7f) return NaN
  return bitsToFloat32(((bits & 0x80) << 24) | ((bits & 0x7f) << 20)) * FLOAT8_E4M3_SCALE
}

/** A float8_e5m2 is the upper half of a float16. */
export function fromFloat8E5m2Bits(bits: number): number {
  return fromFloat16Bits(number(bits) << 8)
}
