/** @file How near a format comes to the weight that it stands for. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { normal, weightOf, type FormatCase } from '../format-case.ts'
import { sqnr } from '../measures.ts'

/** Far above the weights of models, and within float16. */
const MAX_WEIGHT = 1000

export function testNumbers(test: FormatCase): void {
  const { base, variant, dtype } = test
  const [n, k] = variant.shape
  const max = Math.fround(variant.maxWeight ?? MAX_WEIGHT)

  it('stands for the weight that it was made from', () => {
    const { hp, weight } = weightOf(test)
    expect(weight.shape).toEqual(hp.shape)
    expect(weight.dtype).toBe(dtype)
    const values = weight.dequantize()
    expect(values.dtype).toBe(dtype)
    expect(values.shape).toEqual(hp.shape)
    const error = sqnr(base.hostFloat32(hp), base.hostFloat32(values))
    expect(error).toBeGreaterThan(variant.weightSqnr)
  })

  it('multiplies inputs of any rank, with and without bias', () => {
    const { hp, weight } = weightOf(test)
    const bias = normal(test, [n], 2)
    for (const lead of [[], [1], [5], [2, 3]]) {
      const x = normal(test, [...lead, k], 3)
      for (const add of [undefined, bias]) {
        const y = base.linear(x, weight, add)
        const reference = base.linear(x, hp, add)
        expect(y.shape).toEqual([...lead, n])
        expect(y.dtype).toBe(dtype)
        const error = sqnr(base.hostFloat32(reference), base.hostFloat32(y))
        expect(error).toBeGreaterThan(variant.linearSqnr)
      }
    }
  })

  it('multiplies inputs of no rows', () => {
    const { weight } = weightOf(test)
    for (const lead of [[0], [2, 0], [0, 3]]) {
      for (const add of [undefined, normal(test, [n], 2)]) {
        const y = base.linear(normal(test, [...lead, k], 3), weight, add)
        expect([y.shape, y.dtype]).toEqual([[...lead, n], dtype])
      }
    }
  })

  it('refuses inputs and biases of another size', () => {
    const { weight } = weightOf(test)
    const x = normal(test, [2, k], 3)
    expect(() => base.linear(normal(test, [2, k + 1], 3), weight)).toThrow(/Expected/)
    expect(() => base.linear(x, weight, normal(test, [n + 1], 2))).toThrow(/Expected/)
  })

  it('gives finite numbers for any finite weight, zeros and outliers included', () => {
    const weights = fc.array(row(max), { minLength: 1, maxLength: n })
    fc.assert(
      fc.property(weights, (rows) => {
        // Few numbers, repeated over the weight, so that a counterexample is short.
        const values = Float32Array.from({ length: n * k }, (_, i) => {
          const pattern = rows[Math.floor(i / k) % rows.length] as readonly number[]
          return pattern[(i % k) % pattern.length] as number
        })
        const weight = variant.fromHp(base.tensor(values, { shape: [n, k], dtype }))
        const wrong = base.hostFloat32(weight.dequantize()).findIndex((x) => !Number.isFinite(x))
        expect(wrong).toBe(-1)
      }),
      { numRuns: 20, examples: [[[[0]]], [[[max]]], [[[0], [0, 0, -max]]]] },
    )
  })
}

function row(max: number): fc.Arbitrary<readonly number[]> {
  const number = fc.float({ min: -max, max, noNaN: true })
  return fc.array(number, { minLength: 1, maxLength: 8 })
}
