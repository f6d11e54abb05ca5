import { fromFloat16Bits, hostArray, roundHalfToEven, toFloat16Bits } from '@ao/base-tensor'
import { Int4Tensor, PerGroup } from '@ao/int4'
import { fromMlcQ4f16, toMlcQ4f16, toQ4_0, type MlcQ4f16 } from '@ao/interop'
import { normalNumbers, sqnr } from '@ao/test-kit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeArrays, float16Scale, int4Arbitrary, int4Codes, int4Values, randn } from './support.ts'

/** The weight that MLC's kernels see: `(nibble - 7) * scale`. */
function mlcValues({ qWeight, qScale, shape }: MlcQ4f16): number[] {
  return Array.from({ length: shape[0] * shape[1] }, (_, i) => {
    const code = (qWeight[i >> 3]! >>> (4 * (i & 7))) & 15
    return (code - 7) * fromFloat16Bits(qScale[i >> 5]!) + 0
  })
}

/** A weight as MLC quantizes it: `scale = max |w| / 7`, `code = clip(round(w / scale + 7), 0, 14)`. */
function mlcQuantize(weight: Float32Array, shape: [number, number]): MlcQ4f16 {
  const qWeight = new Uint32Array(weight.length / 8)
  const qScale = Uint16Array.from({ length: weight.length / 32 }, (_, g) => {
    const group = weight.subarray(g * 32, g * 32 + 32)
    return toFloat16Bits(Math.max(...group.map(Math.abs)) / 7)
  })
  weight.forEach((w, i) => {
    const code = roundHalfToEven(w / fromFloat16Bits(qScale[i >> 5]!) + 7)
    const clipped = Math.min(Math.max(code, 0), 14)
    qWeight[i >> 3] = (qWeight[i >> 3]! | (clipped << (4 * (i & 7)))) >>> 0
  })
  return { qWeight, qScale, shape }
}

describe('toMlcQ4f16', () => {
  it('moves codes down by one, eight to a word from its low end', () => {
    const codes = Array.from({ length: 32 }, (_, i) => (i % 15) + 1)
    const weight = toMlcQ4f16(int4Codes([1, 32], codes, [0.5]))
    expect(weight.qWeight[0]).toBe(0x76543210)
    expect(weight.qWeight[1]).toBe(0x0edcba98)
    expect(Array.from(weight.qScale)).toEqual([0x3800])
    expect(weight).toMatchObject({ shape: [1, 32], sqnr: Infinity })
  })

  it('turns groups with code 0 upside down', () => {
    const codes = Array.from({ length: 32 }, (_, i) => i % 16)
    const weight = toMlcQ4f16(int4Codes([1, 32], codes, [0.5]))
    expect(weight.qWeight[0]).toBe(0x89abcdef)
    expect(Array.from(weight.qScale)).toEqual([0xb800])
    expect(mlcValues(weight)).toEqual(codes.map((code) => (code - 8) * 0.5))
  })

  it('holds every symmetric weight of float16 scales exactly', () => {
    const property = fc.property(int4Arbitrary(32), (codes) => {
      const weight = toMlcQ4f16(codes)
      expect(weight.sqnr).toBe(Infinity)
      expect(mlcValues(weight)).toEqual(int4Values(codes))
      const back = fromMlcQ4f16(weight)
      expect(hostArray(back.codes)).toEqual(hostArray(codes.codes))
      expect(back).toMatchObject({ zeroPoint: undefined, groupSize: 32, dtype: 'float16' })
    })
    fc.assert(property, { numRuns: 50 })
  })

  it('holds integer zero points whose groups span no more than its own', () => {
    const property = fc.property(
      codeArrays(32, 0, 15),
      fc.integer({ min: 0, max: 15 }),
      float16Scale,
      (codes, zero, scale) => {
        const weight = int4Codes([1, 32], codes, [scale], { domain: 'INT', values: [zero] })
        const steps = codes.map((code) => code - zero)
        const [low, high] = [Math.min(...steps), Math.max(...steps)]
        const converted = toMlcQ4f16(weight, { allowRounding: true })
        const fits = (low >= -7 && high <= 8) || (low >= -8 && high <= 7)
        if (fits) {
          expect(converted.sqnr).toBe(Infinity)
          expect(mlcValues(converted)).toEqual(int4Values(weight))
        } else {
          expect(converted.sqnr).toBeCloseTo(sqnr(int4Values(weight), mlcValues(converted)), 6)
        }
      },
    )
    fc.assert(property, { numRuns: 200 })
  })

  it('splits groups of 128 into four', () => {
    const codes = Int4Tensor.fromHp(randn(4, 256, 'bfloat16'), {
      granularity: PerGroup(128),
      activationDtype: 'float8_e4m3fn',
    }).toCodes()
    const weight = toMlcQ4f16(codes)
    expect(weight.qScale).toHaveLength(32)
    expect(mlcValues(weight)).toEqual(int4Values(codes))
  })

  it('refuses what it would round, and measures it when allowed', () => {
    const floating = Int4Tensor.fromHp(randn(64, 256), { granularity: PerGroup(32) }).toCodes()
    expect(() => toMlcQ4f16(floating)).toThrow(
      '[@ao/interop] Expected float16 scales and values of at most -7..8 or -8..7 scales in each group, ' +
        'got a weight that would keep 21.5 dB. Pass allowRounding: true to accept that.',
    )
    const weight = toMlcQ4f16(floating, { allowRounding: true })
    expect(weight.sqnr).toBeCloseTo(sqnr(int4Values(floating), mlcValues(weight)), 6)
    expect(() => toMlcQ4f16(int4Codes([1, 16], new Uint8Array(16), [1]))).toThrow(
      '[@ao/interop] Expected codes in groups of a multiple of 32, got groups of 16. ' +
        'Quantize with a group size of 32.',
    )
    expect(() => toMlcQ4f16(int4Codes([1, 32], new Uint8Array(32), [1e5]))).toThrow(
      '[@ao/interop] Expected scales that float16 can hold: up to 65504, got -100000.',
    )
  })
})

describe('fromMlcQ4f16', () => {
  it('gives back what MLC quantized, in every bit', () => {
    const weight = mlcQuantize(normalNumbers(8 * 128, 5), [8, 128])
    const codes = fromMlcQ4f16(weight)
    expect(int4Values(codes)).toEqual(mlcValues(weight))
    expect(toMlcQ4f16(codes)).toEqual({ ...weight, sqnr: Infinity })
    expect(toQ4_0(codes).sqnr).toBe(Infinity)
  })

  it('takes all sixteen codes and scales of either sign', () => {
    const property = fc.property(
      codeArrays(8, 0, 0xffffffff),
      float16Scale,
      fc.boolean(),
      (words, scale, negative) => {
        const weight: MlcQ4f16 = {
          qWeight: Uint32Array.from(words),
          qScale: Uint16Array.of(
            toFloat16Bits(negative ? -scale : scale),
            toFloat16Bits(scale / 2),
          ),
          shape: [2, 32],
        }
        const codes = fromMlcQ4f16(weight)
        expect(int4Values(codes)).toEqual(mlcValues(weight))
        expect(toMlcQ4f16(codes)).toEqual({ ...weight, sqnr: Infinity })
      },
    )
    fc.assert(property, { numRuns: 50 })
  })

  it('refuses parts of another shape', () => {
    const weight = mlcQuantize(normalNumbers(64), [1, 64])
    expect(() => fromMlcQ4f16({ ...weight, shape: [2, 64] })).toThrow(
      '[@ao/interop] Expected K of a multiple of 32 with N * K / 8 words and N * K / 32 scales, ' +
        'got [2, 64] with 8 words and 2 scales.',
    )
    expect(() => fromMlcQ4f16({ ...weight, shape: [4, 16] })).toThrow('K of a multiple of 32')
  })
})
