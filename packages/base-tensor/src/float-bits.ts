/**
 * @file Bits of the short floating types.
 *
 * All encoders round to nearest, ties to even, exactly as PyTorch's casts. The scalar functions are
 * the definition; array versions live in `cast.ts`.
 */

import type { FloatDType } from './dtype.ts'

const f32 = new Float32Array(1)
const u32 = new Uint32Array(f32.buffer)

/** The bits of `x` as a float32. */
export function float32ToBits(x: number): number {
  f32[0] = x
  return u32[0] as number
}

/** The float32 that has these bits. */
export function bitsToFloat32(bits: number): number {
  u32[0] = bits
  return f32[0] as number
}

/** float32 bits to bfloat16 bits. NaN becomes 0x7fc0, as in PyTorch. */
export function float32BitsToBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

export function toBfloat16Bits(x: number): number {
  f32[0] = x
  return float32BitsToBfloat16(u32[0] as number)
}

export function fromBfloat16Bits(bits: number): number {
  u32[0] = bits << 16
  return f32[0] as number
}

/** float32 bits to float16 bits; beyond 65504 (after rounding) to infinity. */
export function float32BitsToFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const abs = bits & 0x7fffffff
  if (abs > 0x7f800000) return sign | 0x7e00 // NaN
  if (abs >= 0x47800000) return sign | 0x7c00 // 2^16 and more
  if (abs >= 0x38800000) {
    // Normal in float16: rebias by 112 and drop 13 bits; a carry may run into the exponent.
    return sign | ((abs - 0x38000000 + 0xfff + ((abs >>> 13) & 1)) >>> 13)
  }
  if (abs < 0x33000000) return sign // below half of the smallest subnormal
  const shift = 126 - (abs >>> 23) // 14..24: how many bits a subnormal loses
  const mantissa = (abs & 0x7fffff) | 0x800000
  const half = 1 << (shift - 1)
  const kept = mantissa >>> shift
  const rest = mantissa & ((1 << shift) - 1)
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0))
}

export function toFloat16Bits(x: number): number {
  f32[0] = x
  return float32BitsToFloat16(u32[0] as number)
}

export function fromFloat16Bits(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  const sign = bits & 0x8000 ? -1 : 1
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 31) return mantissa ? NaN : sign * Infinity
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/** `x` rounded to float16, as a number. */
export function roundToFloat16(x: number): number {
  return fromFloat16Bits(toFloat16Bits(x))
}

/** `x` rounded to bfloat16 (through float32, as PyTorch does), as a number. */
export function roundToBfloat16(x: number): number {
  f32[0] = x
  const bits = u32[0] as number
  if ((bits & 0x7fffffff) > 0x7f800000) return NaN
  u32[0] = ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) << 16
  return f32[0] as number
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
  if (Math.abs(x) >= 4503599627370496) return x
  const magic = x < 0 ? -4503599627370496 : 4503599627370496
  return x + magic - magic
}

/** float32 value to float8_e4m3fn bits. Beyond 464 the result is NaN: clamp to 448 to saturate. */
export function toFloat8E4m3Bits(x: number): number {
  return encodeFloat8(x, 3, 7, 464, 0x7f)
}

/** float32 value to float8_e5m2 bits. At 61440 and more the result is infinity. */
export function toFloat8E5m2Bits(x: number): number {
  if (Number.isNaN(x)) return float32ToBits(x) >>> 31 ? 0xff : 0x7f
  const sign = Object.is(x, -0) || x < 0 ? 0x80 : 0
  return Math.abs(x) >= 61440 ? sign | 0x7c : encodeFloat8(x, 2, 15, Infinity, 0x7f)
}

function encodeFloat8(
  x: number,
  mantissaBits: number,
  bias: number,
  lastFinite: number,
  nan: number,
): number {
  const sign = Object.is(x, -0) || x < 0 || (x !== x && float32ToBits(x) >>> 31) ? 0x80 : 0
  const abs = Math.abs(x)
  if (!(abs <= lastFinite)) return sign | nan
  const minExponent = 1 - bias
  const exponent = Math.max(((float32ToBits(abs) >>> 23) & 0xff) - 127, minExponent)
  // The code as an integer: exponent and mantissa are one number, so a carry rounds up correctly.
  const steps = roundHalfToEven(abs * 2 ** (mantissaBits - exponent))
  return sign | (steps + ((exponent - minExponent) << mantissaBits))
}

export function fromFloat8E4m3Bits(bits: number): number {
  if ((bits & 0x7f) === 0x7f) return NaN
  return decodeFloat8(bits, 3, 7)
}

export function fromFloat8E5m2Bits(bits: number): number {
  if ((bits & 0x7c) === 0x7c) return bits & 3 ? NaN : bits & 0x80 ? -Infinity : Infinity
  return decodeFloat8(bits, 2, 15)
}

function decodeFloat8(bits: number, mantissaBits: number, bias: number): number {
  const mantissa = bits & ((1 << mantissaBits) - 1)
  const exponent = (bits & 0x7f) >>> mantissaBits
  const sign = bits & 0x80 ? -1 : 1
  return exponent === 0
    ? sign * mantissa * 2 ** (1 - bias - mantissaBits)
    : sign * ((1 << mantissaBits) + mantissa) * 2 ** (exponent - bias - mantissaBits)
}
