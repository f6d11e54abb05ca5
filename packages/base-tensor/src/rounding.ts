/** @file Rounding to 16-bit floats inside of loops that spend their time on it. */

import { fromBfloat16Bits, roundToFloat16, toBfloat16Bits } from './float-bits.ts'

const float = /* @__PURE__ */ new Float32Array(1)
const bits = /* @__PURE__ */ new Int32Array(float.buffer)

/** What of a float32 a bfloat16 drops, and how it looks halfway between two bfloat16 numbers. */
const DROPPED = 0xffff
const HALFWAY = 0x8000

/**
 * `a * b + c` for bfloat16 numbers, rounded to bfloat16 once, as a GPU's fused instruction does.
 *
 * @remarks The product of two such numbers is exact in double precision. Rounding goes through float32,
 * which would round twice where that lands halfway between two bfloat16 numbers: then what float32 lost
 * decides.
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b
  float[0] = product + c
  const nearest = float[0] as number
  if (((bits[0] as number) & DROPPED) === HALFWAY) {
    const lost = product - nearest + c
    if (lost !== 0) bits[0] = (bits[0] as number) + (lost > 0 === nearest > 0 ? 1 : -1)
  }
  return fromBfloat16Bits(toBfloat16Bits(float[0] as number))
}

/** As bits of a float32: the smallest normal float16, and what rounds to infinity. */
const NORMAL = 0x38800000
const OVERFLOW = 0x477ff000
/** Adding and taking this away rounds to a multiple of 2^-24: smaller float16 numbers are those. */
const SUBNORMAL_ROUNDING = 1.5 * 2 ** 28

/** `roundToFloat16`, without its way through float16 bits: several times as fast. */
export function roundToHalf(x: number): number {
  float[0] = x
  const value = bits[0] as number
  const magnitude = value & 0x7fffffff
  if (magnitude < NORMAL) {
    return (float[0] as number) + SUBNORMAL_ROUNDING - SUBNORMAL_ROUNDING
  }
  if (magnitude >= OVERFLOW) return roundToFloat16(x)
  bits[0] = (value + 0xfff + ((value >>> 13) & 1)) & ~0x1fff
  return float[0] as number
}
