import { maxRelativeToPeak } from '@ao/test-kit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add,
  addBias,
  bmm,
  broadcastShapes,
  cast,
  dot,
  embedding,
  fromFloat32,
  hostFloat32,
  linear,
  matmul,
  matmulNT,
  meta,
  mul,
  numelOf,
  promote,
  rounder,
  tensor,
  zeros,
  type DenseTensor,
  type FloatDType,
} from '@ao/base-tensor'
import { messageOf, numbers } from './support.ts'

const floats = ['float32', 'bfloat16', 'float16'] as const

/** Reproducible numbers in -1..1. */
function noise(shape: readonly number[], dtype: FloatDType, seed = 1): DenseTensor {
  let state = seed
  const values = Float32Array.from({ length: numelOf(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
  return cast(fromFloat32(values, shape, 'float32'), dtype) as DenseTensor
}

/** `a @ b^T` by definition. */
function product(a: Float32Array, b: Float32Array, m: number, n: number, k: number): Float32Array {
  return Float32Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    let sum = 0
    for (let p = 0; p < k; p++) sum += (a[i * k + p] as number) * (b[j * k + p] as number)
    return sum
  })
}

describe('matmulNT', () => {
  it('multiplies shapes of every remainder', () => {
    const size = fc.integer({ min: 0, max: 9 })
    fc.assert(
      fc.property(size, size, size, (m, n, k) => {
        const a = hostFloat32(noise([m, k], 'float32'))
        const b = hostFloat32(noise([n, k], 'float32', 7))
        const out = new Float32Array(m * n).fill(NaN)
        matmulNT(a, b, out, m, n, k)
        expect(out).toEqual(product(a, b, m, n, k))
      }),
    )
  })

  it('sums integers exactly', () => {
    const codes = new Float32Array(4096).fill(-128)
    expect(dot(codes, 0, codes, 0, 4096)).toBe(128 * 128 * 4096)
  })
})

describe('linear', () => {
  it.each(floats)('%s: the product, plus the bias, rounded once', (dtype) => {
    // More rows than one decoded block holds, and a remainder.
    const [m, n, k] = [3, 70, 1000]
    const x = noise([m, k], dtype)
    const w = noise([n, k], dtype, 2)
    const bias = noise([n], dtype, 3)
    const y = linear(x.view([1, m, k]), w, bias)
    expect([y.shape, y.dtype]).toEqual([[1, m, n], dtype])
    const exact = product(hostFloat32(x), hostFloat32(w), m, n, k)
    addBias(exact, hostFloat32(bias), n)
    expect(hostFloat32(y)).toEqual(exact.map(rounder(dtype)))
    expect(hostFloat32(linear(x, w))).toEqual(
      product(hostFloat32(x), hostFloat32(w), m, n, k).map(rounder(dtype)),
    )
  })

  it('reads windows, and weights of another dtype', () => {
    const x = noise([4, 8], 'float32').transpose(0, 1).narrow(1, 1, 2)
    const w = noise([5, 4], 'float32', 2).narrow(1, 2, 2)
    const exact = product(hostFloat32(x), hostFloat32(w), 8, 5, 2)
    expect(hostFloat32(linear(x, w))).toEqual(exact)
    const coarse = hostFloat32(linear(x, cast(w, 'bfloat16')))
    expect(maxRelativeToPeak(exact, coarse)).toBeLessThan(0.01)
    expect(numbers(linear(tensor([[1, 2]]), tensor([[3, 4]], { dtype: 'int8' })))).toEqual([11])
  })

  it('takes one vector and empty sizes', () => {
    expect(linear(tensor([1, 2]), tensor([[3, 4]])).shape).toEqual([1])
    expect(numbers(linear(zeros([2, 0]), zeros([3, 0]), tensor([1, 2, 3])))).toEqual([
      1, 2, 3, 1, 2, 3,
    ])
    expect(linear(zeros([2, 4], 'bfloat16'), zeros([0, 4], 'bfloat16')).shape).toEqual([2, 0])
  })

  it('refuses shapes that do not fit, with and without data', () => {
    const w = zeros([4, 8])
    expect(messageOf(() => linear(zeros([2, 9]), w))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected an input of shape [..., 8] for a weight of shape (out, in) = [4, 8], got [2, 9]."`,
    )
    expect(messageOf(() => linear(tensor(1), w))).toContain('got []')
    expect(messageOf(() => linear(zeros([2, 8]), zeros([8])))).toContain('(out, in) = [8]')
    expect(messageOf(() => linear(zeros([2, 8]), w, zeros([3])))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected a bias of 4 elements, got 3."`,
    )
    const planned = (shape: number[]): DenseTensor => zeros(shape, 'bfloat16', meta)
    expect(linear(planned([2, 5, 8]), planned([4, 8]), planned([4])).shape).toEqual([2, 5, 4])
    expect(() => linear(planned([2, 8]), planned([4, 8]), planned([3]))).toThrow('a bias of 4')
  })
})

describe('matmul and bmm', () => {
  it.each(floats)('%s: agree with linear', (dtype) => {
    const a = noise([3, 6], dtype)
    const b = noise([6, 5], dtype, 2)
    const y = matmul(a, b)
    expect([y.shape, y.dtype]).toEqual([[3, 5], dtype])
    expect(numbers(y)).toEqual(numbers(linear(a, b.transpose(0, 1))))
    const batched = bmm(noise([2, 3, 6], dtype), noise([2, 6, 5], dtype, 2))
    expect(batched.shape).toEqual([2, 3, 5])
    const second = matmul(
      noise([2, 3, 6], dtype).select(0, 1),
      noise([2, 6, 5], dtype, 2).select(0, 1),
    )
    expect(numbers(batched.select(0, 1))).toEqual(numbers(second))
  })

  it('promote, plan and refuse', () => {
    expect(matmul(zeros([1, 2], 'bfloat16'), zeros([2, 1], 'float16')).dtype).toBe('float32')
    expect(matmul(zeros([1, 2], 'int8', meta), zeros([2, 7], 'float16', meta)).dtype).toBe(
      'float16',
    )
    expect(bmm(zeros([9, 1, 2], 'float16', meta), zeros([9, 2, 7], 'float16', meta)).shape).toEqual(
      [9, 1, 7],
    )
    expect(messageOf(() => matmul(zeros([1, 2]), zeros([3, 1])))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected shapes [M, K] and [K, N], got [1, 2] and [3, 1]."`,
    )
    expect(messageOf(() => bmm(zeros([1, 1, 2]), zeros([2, 2, 1])))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected shapes [B, M, K] and [B, K, N], got [1, 1, 2] and [2, 2, 1]."`,
    )
  })
})

describe('add and mul', () => {
  it('broadcast', () => {
    const column = tensor([[1], [2]])
    const row = tensor([10, 20, 30])
    expect(numbers(add(column, row))).toEqual([11, 21, 31, 12, 22, 32])
    expect(numbers(mul(row, column))).toEqual([10, 20, 30, 20, 40, 60])
    expect(add(zeros([2, 0, 3]), row).shape).toEqual([2, 0, 3])
    expect(numbers(add(tensor(1), tensor(2)))).toEqual([3])
    expect(broadcastShapes([4, 1], [3, 1, 5])).toEqual([3, 4, 5])
    expect(messageOf(() => add(row, zeros([2])))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected shapes that broadcast, got [3] and [2]."`,
    )
  })

  it('agree with index arithmetic on any shapes that broadcast', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(2)), { maxLength: 3 })
    fc.assert(
      fc.property(sizes, fc.nat(3), (dims, dropped) => {
        const full = dims.map(([size]) => size)
        const a = noise(
          dims.map(([size, kind]) => (kind === 1 ? 1 : size)),
          'float32',
        )
        const b = noise(
          dims.map(([size, kind]) => (kind === 2 ? 1 : size)).slice(dropped),
          'float32',
        )
        const shape = broadcastShapes(a.shape, b.shape)
        const y = mul(a, b)
        expect(y.shape).toEqual(shape)
        const element = (t: DenseTensor, index: number[]): number => {
          const own = index.slice(index.length - t.ndim)
          const at = own.map((i, d) => (t.shape[d] === 1 ? 0 : i))
          return Number(hostFloat32(at.reduce((v, i) => v.select(0, i), t))[0])
        }
        hostFloat32(y).forEach((value, at) => {
          const index = shape.map((size, d) => Math.floor(at / numelOf(shape.slice(d + 1))) % size)
          expect(value).toBe(Math.fround(element(a, index) * element(b, index)))
        })
        expect(shape.every((size, d) => size <= (full[d] as number))).toBe(true)
      }),
    )
  })

  it('round to the common dtype, which a scalar tensor does not widen', () => {
    const x = tensor([1, 2], { dtype: 'bfloat16' })
    expect(numbers(cast(add(x, tensor([0.00390625, 0])), 'float32'))).toEqual([1.00390625, 2])
    expect(mul(x, tensor(0.3)).dtype).toBe('bfloat16')
    expect(mul(tensor(0.3), zeros([2], 'bfloat16', undefined)).dtype).toBe('bfloat16')
    expect(mul(x, tensor([0.3])).dtype).toBe('float32')
    expect(mul(zeros([2], 'float16', meta), zeros([], 'float32', meta)).dtype).toBe('float16')
    expect(promote('int8', 'float16')).toBe('float16')
    expect(promote('bfloat16', 'float16')).toBe('float32')
    expect(messageOf(() => add(zeros([1], 'int8'), zeros([1], 'int32')))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected dtypes of which one at least is floating, got int8 and int32. Use cast(tensor, dtype) first."`,
    )
  })
})

describe('embedding', () => {
  const weight = tensor(
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    { dtype: 'bfloat16' },
  )

  it.each(['int64', 'int32', 'uint8'] as const)('picks rows by %s ids', (dtype) => {
    const rows = embedding(tensor([[2, 0]], { dtype }), weight)
    expect([rows.shape, rows.dtype]).toEqual([[1, 2, 2], 'bfloat16'])
    expect(Array.from(hostFloat32(rows))).toEqual([5, 6, 1, 2])
  })

  it('refuses ids that are not there', () => {
    const ids = (id: number): (() => unknown) => {
      return () => embedding(tensor([id]), weight)
    }
    expect(messageOf(ids(3))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected ids in 0..2, got 3."`,
    )
    expect([-1, 0.5, NaN].map((id) => messageOf(ids(id)))).toEqual([
      expect.stringContaining('got -1.'),
      expect.stringContaining('got 0.5.'),
      expect.stringContaining('got NaN.'),
    ])
    expect(messageOf(() => embedding(tensor([0]), tensor([1])))).toMatchInlineSnapshot(
      `"[@ao/base-tensor] Expected an embedding weight of shape [V, H], got [1]."`,
    )
    expect(embedding(zeros([3, 4], 'int64', meta), zeros([8, 2], 'float16', meta)).shape).toEqual([
      3, 4, 2,
    ])
  })
})
