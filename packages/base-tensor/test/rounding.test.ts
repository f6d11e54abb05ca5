import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fromBfloat16Bits,
  fusedMultiplyAdd,
  roundToFloat16,
  roundToHalf,
  toBfloat16Bits,
} from '../src/index.ts'

describe('rounding', () => {
  // A finite bfloat16 number is a whole multiple of 2^-133.
  const exact = (x: number): bigint => {
    const exponent = x === 0 ? 0 : Math.max(Math.floor(Math.log2(Math.abs(x))) - 10, -133)
    return BigInt(x / 2 ** exponent) << BigInt(exponent + 133)
  }

  it('of a fused product and sum is to the nearest bfloat16, ties to even', () => {
    const codes = fc.integer({ min: -8, max: 7 })
    const number = fc
      .tuple(fc.integer({ min: 0x80, max: 0xff }), fc.integer({ min: -40, max: 20 }), fc.boolean())
      .map(([mantissa, exponent, negative]) => (negative ? -1 : 1) * mantissa * 2 ** exponent)
    fc.assert(
      fc.property(codes, number, number, (code, scale, zero) => {
        const got = fusedMultiplyAdd(code, scale, zero)
        const sum = BigInt(code) * exact(scale) + exact(zero)
        const distance = (x: number): bigint => {
          const d = exact(x) - sum
          return d < 0n ? -d : d
        }
        const bits = toBfloat16Bits(got)
        for (const neighbour of [bits - 1, bits + 1]) {
          if ((neighbour & 0x7fff) >= 0x7f80 || bits === 0) continue
          const other = distance(fromBfloat16Bits(neighbour))
          expect(distance(got) <= other).toBe(true)
          if (distance(got) === other) expect(bits & 1).toBe(0)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('happens once: a tie of the product is broken by the smallest sum', () => {
    const scale = 1 + 2 ** -7 // times 3: halfway between two bfloat16 numbers
    const [down, up] = [3 + 2 ** -6, 3 + 2 ** -5]
    expect(fusedMultiplyAdd(3, scale, 0)).toBe(up)
    expect(fusedMultiplyAdd(3, scale, 2 ** -60)).toBe(up)
    expect(fusedMultiplyAdd(3, scale, -(2 ** -60))).toBe(down)
    expect(fusedMultiplyAdd(-3, scale, 2 ** -60)).toBe(-down)
  })

  it('to float16 is that of base-tensor', () => {
    const check = (x: number): void => {
      // The sign of a zero does not matter here.
      expect(roundToHalf(x) + 0).toBe(roundToFloat16(x) + 0)
    }
    fc.assert(fc.property(fc.float(), check))
    fc.assert(fc.property(fc.float({ min: -2, max: 2, noNaN: true }), check))
    fc.assert(fc.property(fc.float({ min: -6.103515625e-5, max: 6.103515625e-5 }), check))
    for (const x of [65519, 65520, -65520, 2 ** -24, 2 ** -25, 2 ** -14, Infinity]) check(x)
  })
})
