import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cast,
  castArray,
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  iinfo,
  isFloatDType,
  meta,
  newArray,
  readFloat32,
  STORED_DTYPES,
  tensor,
  zeros,
  type StoredDType,
} from '@ao/base-tensor'
import { messageOf, numbers } from './support.ts'

const integers = ['int8', 'uint8', 'int16', 'int32', 'int64'] as const

function castNumbers(values: number[], to: StoredDType): (number | bigint)[] {
  return numbers(cast(tensor(values), to))
}

describe('cast', () => {
  const pairs = STORED_DTYPES.flatMap((from) => STORED_DTYPES.map((to) => [from, to] as const))

  it.each(pairs)('%s to %s keeps small numbers', (from, to) => {
    const values = from === 'bool' || to === 'bool' ? [0, 1, 1, 0] : [0, 1, 2, 5, 7]
    const source = tensor(values, { dtype: from })
    const result = cast(source, to)
    expect(result.dtype).toBe(to)
    expect(Array.from(hostFloat32(result))).toEqual(values)
    expect(hostArray(result).constructor).toBe(newArray(to, 0).constructor)
    expect(numbers(source)).toEqual(numbers(tensor(values, { dtype: from }))) // left as it was
  })

  it('is the same tensor when the dtype is that already', () => {
    const source = tensor([1, 2])
    expect(cast(source, 'float32')).toBe(source)
  })

  it('cuts floats toward zero', () => {
    for (const to of ['int8', 'int16', 'int32'] as const) {
      expect(castNumbers([1.9, -1.9, 0.5, -0.5, 127], to)).toEqual([1, -1, 0, 0, 127])
    }
    expect(castNumbers([1.9, -1.9, 2 ** 40], 'int64')).toEqual([1n, -1n, 2n ** 40n])
  })

  it('wraps 8 and 16 bits, and sends int32 and int64 out of range to their minimum', () => {
    expect(castNumbers([300, -129, 128, 256], 'int8')).toEqual([44, 127, -128, 0])
    expect(castNumbers([300, -1, 255], 'uint8')).toEqual([44, 255, 255])
    expect(castNumbers([32768, 65536 + 5], 'int16')).toEqual([-32768, 5])
    expect(castNumbers([2 ** 31, -(2 ** 31), -(2 ** 33), 3e9], 'int32')).toEqual(
      new Array(4).fill(-2147483648),
    )
    expect(castNumbers([2147483520], 'int32')).toEqual([2147483520])
    expect(castNumbers([2 ** 63, -(2 ** 63)], 'int64')).toEqual([-(2n ** 63n), -(2n ** 63n)])
  })

  it('casts what is not a number', () => {
    const odd = [NaN, Infinity, -Infinity]
    expect(castNumbers(odd, 'int8')).toEqual([0, 0, 0])
    expect(castNumbers(odd, 'uint8')).toEqual([0, 0, 0])
    expect(castNumbers(odd, 'int32')).toEqual(new Array(3).fill(-2147483648))
    expect(castNumbers(odd, 'int64')).toEqual(new Array(3).fill(-(2n ** 63n)))
    expect(castNumbers([NaN, 0, -0, 0.1], 'bool')).toEqual([1, 0, 0, 1])
    expect(castNumbers(odd, 'float16')).toEqual([0x7e00, 0x7c00, 0xfc00])
    expect(castNumbers(odd, 'bfloat16')).toEqual([0xffff, 0x7f80, 0xff80])
  })

  it('never passes integers through floats', () => {
    const odd = tensor([2147483647, -2147483648, 16777217], { dtype: 'int32' })
    expect(numbers(cast(odd, 'int64'))).toEqual([2147483647n, -2147483648n, 16777217n])
    expect(numbers(cast(cast(odd, 'int64'), 'int32'))).toEqual(numbers(odd))
    const wide = fromArray(new BigInt64Array([2n ** 40n + 7n, -1n]), [2], 'int64')
    expect(numbers(cast(wide, 'int32'))).toEqual([7, -1])
    expect(numbers(cast(wide, 'uint8'))).toEqual([7, 255])
  })

  it('wraps integers to any width', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        const source = BigInt64Array.from(values)
        for (const to of integers) {
          const bits = to === 'int64' ? 64 : iinfo(to).bits
          const wrap = to === 'uint8' ? BigInt.asUintN : BigInt.asIntN
          const ours = Array.from(castArray(source, 'int64', to) as Int8Array, BigInt)
          expect(ours).toEqual(values.map((value) => wrap(bits, value)))
        }
      }),
    )
  })

  it('widens without loss and narrows back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...STORED_DTYPES.filter(isFloatDType)),
        fc.uint8Array({ minLength: 4, maxLength: 32 }),
        (dtype, bytes) => {
          const whole = bytes.slice(0, bytes.length & ~3)
          const array =
            dtype === 'float32' ? new Float32Array(whole) : new Uint16Array(whole.buffer)
          const wide = castArray(array, dtype, 'float32')
          const back = castArray(castArray(wide, 'float32', dtype), dtype, 'float32')
          expect(back).toEqual(wide)
        },
      ),
    )
  })

  it('makes shapes on the meta device', () => {
    const planned = cast(zeros([2, 3], 'float32', meta), 'int8')
    expect([planned.shape, planned.dtype, planned.device]).toEqual([[2, 3], 'int8', meta])
  })

  it('reads windows, not storage', async () => {
    const window = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]).narrow(1, 1, 2)
    expect(numbers(cast(window, 'int32'))).toEqual([2, 3, 5, 6])
    expect(await readFloat32(cast(window, 'bfloat16'))).toEqual(new Float32Array([2, 3, 5, 6]))
  })
})

describe('tensor', () => {
  it('takes its shape from nested lists', () => {
    expect(tensor(3).shape).toEqual([])
    expect(tensor([]).shape).toEqual([0])
    expect(tensor([[[1], [2]]]).shape).toEqual([1, 2, 1])
    expect(tensor([1, 2, 3, 4], { shape: [2, 2] }).shape).toEqual([2, 2])
  })

  it('copies, and rounds to the dtype', () => {
    const values = new Float32Array([0.1])
    const copy = tensor(values)
    values[0] = 9
    expect(numbers(copy)).toEqual([Math.fround(0.1)])
    expect(numbers(tensor([2147483647], { dtype: 'int32' }))).toEqual([2147483647])
    expect(numbers(tensor([2 ** 53], { dtype: 'int64' }))).toEqual([2n ** 53n])
  })

  it('refuses what does not fit', () => {
    expect(messageOf(() => tensor([[1, 2], [3]]))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected rows of 2 numbers each, as the first has, got one of 1."`,
    )
    expect(
      messageOf(() => fromFloat32(new Float32Array(3), [2], 'bfloat16')),
    ).toMatchInlineSnapshot(`"[@ao/base-tensor] Expected 2 elements for shape [2], got 3."`)
    expect(messageOf(() => fromArray(new Float32Array(2), [2], 'int8'))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected the typed array that holds int8, got Float32Array. Use cast(tensor, dtype) or fromFloat32(values, shape, dtype) to convert numbers."`,
    )
  })
})
