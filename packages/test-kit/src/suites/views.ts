/** @file Views stand for the same views of the values, and writing into one writes into the weight. */

import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { TestTensor } from '../contracts.ts'
import {
  expectEqual,
  expectSameParts,
  expectSameView,
  hasOp,
  weightOf,
  type FormatCase,
} from '../format-case.ts'

export function testSlices(test: FormatCase): void {
  const { base, format, variant } = test

  it('slices as its values do, and slices of slices', () => {
    const { weight } = weightOf(test)
    fc.assert(
      fc.property(rangeOf(test, 0), rangeOf(test, 1), (rows, columns) => {
        expectSameView(test, weight, (tensor) => tensor.slice(0, ...rows))
        expectSameView(test, weight, (tensor) => tensor.slice(1, ...columns))
        expectSameView(test, weight, (tensor) => tensor.slice(0, ...rows).slice(1, ...columns))
      }),
      { numRuns: 20 },
    )
  })

  it.each([0, 1])('is loaded part by part along dimension %s, as vLLM does', (dim) => {
    const { weight } = weightOf(test)
    const other = weightOf(test, 2).weight
    const half = halfOf(test, dim)
    for (const [start, end] of [
      [0, half],
      [half, variant.shape[dim] as number],
    ] as const) {
      const source = other.slice(dim, start, end)
      const target = weight.slice(dim, start, end)
      target.copy_(source)
      expectSameParts(test, target, source)
      // What was written into the view is in the weight.
      const loaded = weight.dequantize().slice(dim, start, end).contiguous()
      expectEqual(test, loaded, other.dequantize().slice(dim, start, end).contiguous())
    }
    expectSameParts(test, weight, other)
  })

  it('refuses to copy between parts of different sizes', () => {
    const { weight } = weightOf(test)
    const part = weight.slice(0, 0, halfOf(test, 0))
    expect(() => part.copy_(weight)).toThrow('copy_')
  })

  if (hasOp(format, 'cat')) {
    const canBeHalved = (dim: 0 | 1): boolean =>
      Math.ceil(variant.shape[dim] / 2) % variant.sliceSteps[dim] === 0
    it.each(([0, 1] as const).filter(canBeHalved))(
      'joins what was cut along dimension %s',
      (dim) => {
        const { weight } = weightOf(test)
        const cutAndJoin = (tensor: TestTensor): TestTensor =>
          base.cat(base.chunk(tensor, 2, dim), dim)
        expectSameView(test, weight, cutAndJoin)
      },
    )
  }

  // Where rows share tiles, select is for experts only.
  if (hasOp(format, 'select') && variant.sliceSteps[0] === 1) {
    it('selects rows as its values do', () => {
      const { weight } = weightOf(test)
      for (const row of [0, variant.shape[0] - 1, -1]) {
        expectSameView(test, weight, (tensor) => tensor.select(0, row))
      }
    })
  }
}

export function testTranspose(test: FormatCase): void {
  it('transposes as its values do, and back', () => {
    const { weight } = weightOf(test)
    expectSameView(test, weight, (tensor) => tensor.transpose(0, 1))
    expectSameView(test, weight, (tensor) => tensor.transpose(0, 1).contiguous())
    expectSameParts(test, weight.transpose(0, 1).transpose(0, 1), weight)
  })
}

/** A range of whole steps of a dimension, that is not empty; all of one that is less than a step. */
function rangeOf({ variant }: FormatCase, dim: number): fc.Arbitrary<[number, number]> {
  const size = variant.shape[dim] as number
  const step = variant.sliceSteps[dim] as number
  const steps = Math.floor(size / step)
  if (steps === 0) return fc.constant([0, size])
  return fc
    .integer({ min: 0, max: steps - 1 })
    .chain((first) => fc.tuple(fc.constant(first), fc.integer({ min: first + 1, max: steps })))
    .map(([first, end]) => [first * step, end * step])
}

function halfOf({ variant }: FormatCase, dim: number): number {
  const step = variant.sliceSteps[dim] as number
  return Math.ceil((variant.shape[dim] as number) / step / 2) * step
}
