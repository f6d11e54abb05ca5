import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxAbsoluteDifference, maxRelativeToPeak, normalNumbers, sqnr } from '../src/index.ts'

describe('sqnr', () => {
  it('is 20 dB for a tenth of the signal as noise', () => {
    expect(sqnr([3, -4], [3.3, -4.4])).toBeCloseTo(20, 10)
  })

  it('is infinite for equal numbers, and not a number where nothing is compared', () => {
    expect(sqnr([1, 2], [1, 2])).toBe(Infinity)
    expect(sqnr([], [])).toBeNaN()
    expect(sqnr([0, 0], [0, 1])).toBe(-Infinity)
  })

  it('does not change when both are scaled', () => {
    const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 })
    fc.assert(
      fc.property(numbers, fc.integer({ min: -20, max: 20 }), (values, exponent) => {
        const noisy = values.map((x, i) => x + (i % 3) / 64 + 1 / 64)
        const scaled = (list: number[]): number[] => list.map((x) => x * 2 ** exponent)
        expect(sqnr(scaled(values), scaled(noisy))).toBeCloseTo(sqnr(values, noisy), 6)
      }),
    )
  })
})

describe('largest differences', () => {
  it('are absolute, or a share of the peak of the reference', () => {
    expect(maxAbsoluteDifference([1, -8, 2], [1, -6, 3])).toBe(2)
    expect(maxRelativeToPeak([1, -8, 2], [1, -6, 3])).toBe(0.25)
  })

  it('are NaN where a number is', () => {
    expect(maxAbsoluteDifference([1, NaN], [1, 1])).toBeNaN()
    expect(maxRelativeToPeak([1, 2], [1, NaN])).toBeNaN()
  })
})

describe('normalNumbers', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(normalNumbers(5, 3)).toEqual(normalNumbers(5, 3))
    expect(normalNumbers(5, 3)).not.toEqual(normalNumbers(5, 4))
    // Bounds of formats are measured with these.
    expect([...normalNumbers(2)].map((x) => x.toFixed(6))).toMatchInlineSnapshot(`
      [
        "1.404339",
        "1.215755",
      ]
    `)
  })

  it('have mean 0, variance 1 and the tails of a normal distribution', () => {
    const numbers = [...normalNumbers(100_000)]
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length
    expect(mean(numbers)).toBeCloseTo(0, 2)
    expect(mean(numbers.map((x) => x * x))).toBeCloseTo(1, 1)
    expect(mean(numbers.map((x) => x ** 4))).toBeCloseTo(3, 0)
    expect(numbers.every(Number.isFinite)).toBe(true)
  })
})
