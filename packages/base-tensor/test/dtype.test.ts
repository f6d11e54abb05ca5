import { describe, expect, it } from 'vitest'
import {
  arrayFromBytes,
  finfo,
  iinfo,
  isDType,
  isFloat8DType,
  isFloatDType,
  isStoredDType,
  itemSize,
  newArray,
  STORED_DTYPES,
} from '@ao/base-tensor'
import { messageOf } from './support.ts'

describe('dtypes', () => {
  it('stores each in the array of its size', () => {
    expect(STORED_DTYPES.length).toBe(11)
    for (const dtype of STORED_DTYPES) {
      const array = newArray(dtype, 3)
      expect(array.length).toBe(3)
      expect(array.BYTES_PER_ELEMENT).toBe(itemSize(dtype))
    }
  })

  it('tells stored, logical and floating ones apart', () => {
    expect(['int8', 'int4', 'uint1', 'bfloat16'].map(isDType)).toEqual([true, true, true, true])
    expect(['int9', 'uint0', 'int64x', 'toString', 3, null].map(isDType)).toEqual(
      new Array(6).fill(false),
    )
    expect(['int4', '__proto__', 'constructor', undefined].map(isStoredDType)).toEqual(
      new Array(4).fill(false),
    )
    expect(STORED_DTYPES.filter(isFloatDType)).toEqual(['float32', 'float16', 'bfloat16'])
    expect(STORED_DTYPES.filter(isFloat8DType)).toEqual(['float8_e4m3fn', 'float8_e5m2'])
  })

  it('knows the ranges of integers, stored and logical', () => {
    expect(iinfo('int8')).toEqual({ bits: 8, min: -128, max: 127 })
    expect(iinfo('uint8')).toEqual({ bits: 8, min: 0, max: 255 })
    expect(iinfo('int16')).toEqual({ bits: 16, min: -32768, max: 32767 })
    expect(iinfo('int32')).toEqual({ bits: 32, min: -2147483648, max: 2147483647 })
    expect(iinfo('int4')).toEqual({ bits: 4, min: -8, max: 7 })
    expect(iinfo('int1')).toEqual({ bits: 1, min: -1, max: 0 })
    expect(iinfo('uint3')).toEqual({ bits: 3, min: 0, max: 7 })
    for (const dtype of ['float32', 'bool', 'int64'] as const) {
      expect(messageOf(() => iinfo(dtype))).toBe(
        `[@ao/base-tensor] Expected an integer dtype of at most 32 bits, got ${dtype}.`,
      )
    }
  })

  it('knows the limits of floats', () => {
    expect(finfo('float32')).toEqual({
      eps: 1.1920928955078125e-7,
      smallestNormal: 1.1754943508222875e-38,
      max: 3.4028234663852886e38,
    })
    expect(finfo('bfloat16').max).toBe(3.3895313892515355e38)
    expect(finfo('float16')).toEqual({ eps: 2 ** -10, smallestNormal: 2 ** -14, max: 65504 })
    expect(finfo('float8_e4m3fn')).toEqual({ eps: 0.125, smallestNormal: 2 ** -6, max: 448 })
    expect(finfo('float8_e5m2')).toEqual({ eps: 0.25, smallestNormal: 2 ** -14, max: 57344 })
  })

  it('reads bytes, in place where they are aligned', () => {
    const bytes = new Uint8Array([0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64])
    const aligned = arrayFromBytes('float32', bytes.subarray(4))
    expect(aligned).toEqual(new Float32Array([1, 2]))
    expect(aligned.buffer).toBe(bytes.buffer)
    const shifted = new Uint8Array(13)
    shifted.set(bytes, 1)
    expect(arrayFromBytes('float32', shifted.subarray(5))).toEqual(new Float32Array([1, 2]))
    // A Node Buffer's slice shares memory and would stay unaligned.
    expect(arrayFromBytes('float32', Buffer.from(shifted.buffer, 5, 8))).toEqual(aligned)
    expect(messageOf(() => arrayFromBytes('float32', bytes.subarray(0, 6)))).toBe(
      '[@ao/base-tensor] Expected a multiple of 4 bytes for float32, got 6.',
    )
  })
})
