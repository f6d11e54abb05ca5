/**
 * @file Weights in codes, and the values that they stand for: by the definitions, not by the package.
 *
 * Values end in `+ 0`: zeros of groups that are upside down are -0, and mean the same.
 */

import {
  fromArray,
  fromFloat32,
  hostFloat32,
  tensor,
  type DenseTensor,
  type FloatDType,
} from '@ao/base-tensor'
import type { GroupedInt8Codes } from '@ao/interop'
import type { Int4Codes } from '@ao/quantized-linear'
import { normalNumbers } from '@ao/test-kit'
import fc from 'fast-check'

/** Normally distributed numbers (rows, columns). */
export function randn(
  rows: number,
  columns: number,
  dtype: FloatDType = 'float32',
  seed = 1,
): DenseTensor {
  return tensor(normalNumbers(rows * columns, seed), { shape: [rows, columns], dtype })
}

/** int4 codes (N, K); scales, and zero points of a domain, are listed as (K / groupSize, N). */
export function int4Codes(
  shape: [number, number],
  codes: ArrayLike<number>,
  scale: ArrayLike<number>,
  zeroPoint?: { domain: 'FLOAT' | 'INT'; values: ArrayLike<number> },
  dtype: FloatDType = 'float32',
): Int4Codes {
  const [n, k] = shape
  const scaleShape = [scale.length / n, n]
  return {
    codes: fromArray(Uint8Array.from(codes), shape, 'uint8'),
    scale: fromFloat32(Float32Array.from(scale), scaleShape, dtype),
    zeroPoint: zeroPoint && {
      domain: zeroPoint.domain,
      values: fromFloat32(
        Float32Array.from(zeroPoint.values),
        scaleShape,
        zeroPoint.domain === 'INT' ? 'int8' : dtype,
      ),
    },
    groupSize: (k * n) / scale.length,
    dtype,
  }
}

export function int8Codes(
  shape: [number, number],
  codes: ArrayLike<number>,
  scale: ArrayLike<number>,
  zeroPoint?: ArrayLike<number>,
): GroupedInt8Codes {
  const [n, k] = shape
  const scaleShape = [n, scale.length / n]
  return {
    codes: fromArray(Int8Array.from(codes), shape, 'int8'),
    scale: fromFloat32(Float32Array.from(scale), scaleShape, 'float32'),
    zeroPoint: zeroPoint && fromArray(Int8Array.from(zeroPoint), scaleShape, 'int8'),
    groupSize: (k * n) / scale.length,
    dtype: 'float32',
  }
}

/** The weight (N, K) that int4 codes stand for. */
export function int4Values({ codes, scale, zeroPoint, groupSize }: Int4Codes): number[] {
  const [n, k] = codes.shape as [number, number]
  const scales = hostFloat32(scale)
  const zeros = zeroPoint && hostFloat32(zeroPoint.values)
  return Array.from(hostFloat32(codes), (code, i) => {
    const g = Math.floor((i % k) / groupSize) * n + Math.floor(i / k)
    if (zeros === undefined) return (code - 8) * scales[g]! + 0
    return zeroPoint!.domain === 'INT'
      ? (code - zeros[g]!) * scales[g]! + 0
      : (code - 8) * scales[g]! + zeros[g]!
  })
}

/** The weight (N, K) that int8 codes stand for. */
export function int8Values({ codes, scale, zeroPoint, groupSize }: GroupedInt8Codes): number[] {
  const scales = hostFloat32(scale)
  const zeros = zeroPoint && hostFloat32(zeroPoint)
  return Array.from(hostFloat32(codes), (code, i) => {
    const g = Math.floor(i / groupSize)
    return (code - (zeros?.[g] ?? 0)) * scales[g]! + 0
  })
}

/** Positive numbers that float16 holds exactly. */
export const float16Scale: fc.Arbitrary<number> = fc
  .tuple(fc.integer({ min: 1024, max: 2047 }), fc.integer({ min: -24, max: 4 }))
  .map(([mantissa, exponent]) => mantissa * 2 ** exponent)

/** Symmetric int4 codes in one to four rows of one or two groups, with scales of float16. */
export function int4Arbitrary(groupSize: number): fc.Arbitrary<Int4Codes> {
  return fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }))
    .chain(([n, groups]) =>
      fc.record({
        shape: fc.constant<[number, number]>([n, groups * groupSize]),
        codes: codeArrays(n * groups * groupSize, 0, 15),
        scale: fc.array(float16Scale, { minLength: n * groups, maxLength: n * groups }),
      }),
    )
    .map(({ shape, codes, scale }) => int4Codes(shape, codes, scale))
}

export function codeArrays(length: number, min: number, max: number): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min, max }), { minLength: length, maxLength: length })
}
