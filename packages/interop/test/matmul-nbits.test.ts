import { fromArray, hostArray, hostFloat32, zeros } from '@ao/base-tensor'
import { Int4Tensor, PerGroup } from '@ao/int4'
import {
  fromMatMulNBits,
  fromMatMulNBits8,
  toMatMulNBits,
  toMatMulNBits8,
  type Int4MatMulNBitsOptions,
  type MatMulNBits,
} from '@ao/interop'
import { sqnr } from '@ao/test-kit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  codeArrays,
  int4Arbitrary,
  int4Codes,
  int4Values,
  int8Codes,
  int8Values,
  randn,
} from './support.ts'

const bytes = (tensor: Parameters<typeof hostArray>[0]) => Array.from(hostArray(tensor), Number)
const ramp = (length: number) => Array.from({ length }, (_, i) => i % 16)

/** A normal weight with floating zero points, as torchao's plain int4 format has them. */
const floating = Int4Tensor.fromHp(randn(8, 128), { granularity: PerGroup(32) }).toCodes()

describe('toMatMulNBits', () => {
  it('puts even codes low, scales in rows, and zero points in rows of whole bytes', () => {
    const weight = toMatMulNBits(
      int4Codes([2, 48], ramp(96), [1, 2, 3, 4, 5, 6], {
        domain: 'INT',
        values: [1, 4, 2, 5, 3, 6],
      }),
    )
    expect(weight.B.shape).toEqual([2, 3, 8])
    const block = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]
    expect(bytes(weight.B)).toEqual(Array.from({ length: 6 }, () => block).flat())
    expect(bytes(weight.scales)).toEqual([1, 3, 5, 2, 4, 6])
    expect(bytes(weight.zeroPoints!)).toEqual([0x21, 0x03, 0x54, 0x06])
    expect(weight.attributes).toEqual({ K: 48, N: 2, bits: 4, block_size: 16, accuracy_level: 0 })
    expect(weight.sqnr).toBe(Infinity)
  })

  it('leaves zero points out where all are the operator’s own', () => {
    const scale = [1, 1]
    const codes = [
      int4Codes([2, 16], ramp(32), scale),
      int4Codes([2, 16], ramp(32), scale, { domain: 'INT', values: [8, 8] }),
      int4Codes([2, 16], ramp(32), scale, { domain: 'FLOAT', values: [0, 0] }),
    ]
    for (const each of codes) {
      expect(toMatMulNBits(each)).toMatchObject({ zeroPoints: undefined, sqnr: Infinity })
    }
  })

  it('packs floating zero points that are whole numbers of scales', () => {
    const weight = toMatMulNBits(
      int4Codes([1, 32], ramp(32), [0.5, 0.25], { domain: 'FLOAT', values: [1, -1.75] }),
    )
    expect(bytes(weight.zeroPoints!)).toEqual([0xf6]) // 8 - 1 / 0.5, 8 + 1.75 / 0.25
    expect(weight.sqnr).toBe(Infinity)
  })

  it('writes other floating zero points in float32, as exactly as that computes', () => {
    const weight = toMatMulNBits(floating)
    expect(weight.zeroPoints!.dtype).toBe('float32')
    expect(weight.sqnr).toBeGreaterThan(135)
    expect(sqnr(int4Values(floating), int4Values(fromMatMulNBits(weight)))).toBeGreaterThan(135)
  })

  it.each<[string, Int4MatMulNBitsOptions, string, number]>([
    [
      'whole zero points',
      { zeroPoints: 'packed' },
      'Expected float32 scales and whole zero points of 0 to 15, got a weight that would keep 21.3 dB.',
      21.3,
    ],
    [
      'float16',
      { dtype: 'float16' },
      'Expected float16 scales and zero points, got a weight that would keep 67.0 dB.',
      67,
    ],
  ])('rounds to %s only when allowed, and says by how much', (_, options, message, error) => {
    expect(() => toMatMulNBits(floating, options)).toThrow(
      `[@ao/interop] ${message} Pass allowRounding: true to accept that.`,
    )
    const weight = toMatMulNBits(floating, { ...options, allowRounding: true })
    expect(weight.sqnr).toBeCloseTo(error, 1)
    const back = int4Values(fromMatMulNBits(weight))
    expect(sqnr(int4Values(floating), back)).toBeCloseTo(weight.sqnr, 3)
  })

  it('quantizes groups anew whose zero point no code can be', () => {
    // Values of 10.5 to 25.5: zero is code -10.5.
    const codes = int4Codes([1, 16], ramp(16), [1], { domain: 'FLOAT', values: [18.5] })
    const weight = toMatMulNBits(codes, { zeroPoints: 'packed', allowRounding: true })
    const values = int4Values(fromMatMulNBits(weight))
    expect(bytes(weight.zeroPoints!)).toEqual([0])
    expect(Math.max(...values)).toBeCloseTo(25.5, 5)
    expect(weight.sqnr).toBeGreaterThan(25)
  })

  it('repeats the scales of larger groups in smaller blocks', () => {
    const codes = int4Codes([2, 64], ramp(128), [1, 2], { domain: 'INT', values: [3, 9] })
    const weight = toMatMulNBits(codes, { blockSize: 16 })
    expect(weight.attributes.block_size).toBe(16)
    expect(bytes(weight.scales)).toEqual([1, 1, 1, 1, 2, 2, 2, 2])
    expect(int4Values(fromMatMulNBits(weight))).toEqual(int4Values(codes))
  })

  it('is undone exactly by fromMatMulNBits, in every bit both ways', () => {
    const property = fc.property(
      int4Arbitrary(16),
      fc.boolean(),
      fc.constantFrom('float32', 'float16'),
      fc.infiniteStream(fc.integer({ min: 0, max: 15 })),
      (symmetric, hasZeroPoint, dtype, zeroPoints) => {
        const { scale } = symmetric
        const values = fromArray(
          Uint8Array.from(
            { length: scale.shape[0]! * scale.shape[1]! },
            () => zeroPoints.next().value!,
          ),
          scale.shape,
          'uint8',
        )
        const codes = hasZeroPoint
          ? { ...symmetric, zeroPoint: { domain: 'INT' as const, values } }
          : symmetric
        const weight = toMatMulNBits(codes, { dtype: dtype as 'float32' })
        const back = fromMatMulNBits(weight)
        expect(weight.sqnr).toBe(Infinity)
        expect(back.dtype).toBe(dtype)
        expect(int4Values(back)).toEqual(int4Values(codes))
        expect(toMatMulNBits(back, { dtype: dtype as 'float32' })).toEqual(weight)
      },
    )
    fc.assert(property, { numRuns: 50 })
  })

  it('refuses what the operator has no form for', () => {
    const odd = int4Codes([1, 48], ramp(48), [1, 1])
    expect(() => toMatMulNBits(odd)).toThrow(
      '[@ao/interop] Expected a block size of a power of two from 16 to 256, got 24. ' +
        'Pass one that divides the group size 24 as blockSize, if there is one.',
    )
    const large = int4Codes([1, 1024], ramp(1024), [1, 1])
    expect(() => toMatMulNBits(large)).toThrow('from 16 to 256, got 512. Pass one')
    expect(toMatMulNBits(large, { blockSize: 256 }).B.shape).toEqual([1, 4, 128])
    const small = int4Codes([1, 32], ramp(32), [1, 1])
    expect(() => toMatMulNBits(small, { blockSize: 32 })).toThrow(
      '[@ao/interop] Expected codes in groups of a multiple of 32, got groups of 16. ' +
        'Quantize with a group size of 32.',
    )
    expect(() => toMatMulNBits({ ...small, codes: zeros([2, 1, 32], 'uint8') })).toThrow(
      '[@ao/interop] Expected codes of uint8 (N, K) with K a multiple of the group size 16, ' +
        'got uint8 [2, 1, 32]. Convert experts one by one: weight.select(0, e).',
    )
    expect(() => toMatMulNBits({ ...small, scale: zeros([1, 2]) })).toThrow(
      '[@ao/interop] Expected scales of shape [2, 1], one a group, got [1, 2].',
    )
    expect(() => toMatMulNBits(int4Codes([1, 16], ramp(16).fill(16), [1]))).toThrow(
      '[@ao/interop] Expected codes of 0 to 15, got 16.',
    )
    expect(() => toMatMulNBits(int4Codes([1, 16], ramp(16), [Infinity]))).toThrow(
      '[@ao/interop] Expected finite scales, got Infinity.',
    )
    const flat = int4Codes([1, 16], ramp(16), [0], { domain: 'FLOAT', values: [2] })
    expect(() => toMatMulNBits(flat)).toThrow(
      '[@ao/interop] Expected scales other than 0 where zero points are not 0, got zero point 2 with scale 0.',
    )
  })
})

describe('fromMatMulNBits', () => {
  const weight: MatMulNBits = toMatMulNBits(int4Codes([2, 32], ramp(64), [1, 2, 3, 4]))

  it('takes scales and zero points of two dimensions as of one', () => {
    const packed = fromArray(Uint8Array.of(0x21, 0x43), [2, 1], 'uint8')
    const scales = fromArray(hostFloat32(weight.scales), [2, 2], 'float32')
    const codes = fromMatMulNBits({ ...weight, scales, zeroPoints: packed })
    expect(bytes(codes.zeroPoint!.values)).toEqual([1, 3, 2, 4])
  })

  it('refuses inputs of another node', () => {
    const attributes = { ...weight.attributes, K: 64 }
    expect(() => fromMatMulNBits({ ...weight, attributes })).toThrow(
      '[@ao/interop] Expected B of 64 elements of uint8, got uint8 [2, 2, 8].',
    )
    expect(() => fromMatMulNBits8(weight)).toThrow(
      '[@ao/interop] Expected a MatMulNBits of 8 bits with K a multiple of the block size, ' +
        'got 4 bits, K = 32, block size 16.',
    )
    expect(() => fromMatMulNBits({ ...weight, zeroPoints: zeros([3], 'uint8') })).toThrow(
      '[@ao/interop] Expected zeroPoints of 2 elements of uint8, got uint8 [3].',
    )
  })
})

describe('toMatMulNBits8', () => {
  it('moves codes and zero points up by 128', () => {
    const codes = int8Codes([1, 32], ramp(32).fill(-128, 0, 1).fill(127, 31), [1, 2], [-128, 3])
    const weight = toMatMulNBits8(codes)
    expect(weight.B.shape).toEqual([1, 2, 16])
    expect(bytes(weight.B).slice(0, 3)).toEqual([0, 129, 130])
    expect(bytes(weight.zeroPoints!)).toEqual([0, 131])
    expect(weight.attributes).toMatchObject({ bits: 8, block_size: 16 })
  })

  it('is undone exactly by fromMatMulNBits8', () => {
    const property = fc.property(
      codeArrays(96, -128, 127),
      codeArrays(3, -128, 127),
      (codes, zeroPoint) => {
        const weight = int8Codes([3, 32], codes, [0.3, 0.01, 7], zeroPoint)
        const back = fromMatMulNBits8(toMatMulNBits8(weight, { blockSize: 16 }))
        expect(int8Values(back)).toEqual(int8Values(weight))
      },
    )
    fc.assert(property, { numRuns: 50 })
  })

  it('refuses floating zero points and scales that float16 rounds', () => {
    const weight = int8Codes([1, 16], ramp(16), [0.1])
    expect(toMatMulNBits8(weight, { dtype: 'float16', allowRounding: true }).sqnr).toBeCloseTo(
      72,
      0,
    )
    expect(() => toMatMulNBits8({ ...weight, zeroPoint: zeros([1, 1], 'int32') })).toThrow(
      '[@ao/interop] Expected zero points of int8, got int32.',
    )
    expect(() => toMatMulNBits8({ ...weight, scale: zeros([1, 1], 'int8') })).toThrow(
      '[@ao/interop] Expected floating scales, got int8.',
    )
    expect(() => toMatMulNBits8(weight, { dtype: 'float16' })).toThrow(
      '[@ao/interop] Expected float16 scales, got a weight that would keep 72.2 dB. ' +
        'Pass allowRounding: true to accept that.',
    )
    expect(() => fromMatMulNBits8({ ...toMatMulNBits8(weight), zeroPoints: zeros([1]) })).toThrow(
      '[@ao/interop] Expected 8-bit zero points of uint8, got float32.',
    )
  })
})
