/** @file Shapes before numbers: what a file's header is written from. */

import { expect, it } from 'vitest'
import type { TestParts } from '../contracts.ts'
import { weightOf, type FormatCase } from '../format-case.ts'

export function testPlan(test: FormatCase): void {
  const { base, variant, dtype } = test

  it('is planned on the meta device: shapes and dtypes without numbers', () => {
    const { weight } = weightOf(test)
    const planned = variant.fromHp(base.zeros(variant.shape, dtype, base.meta))
    expect(describeParts(planned.flatten())).toEqual(describeParts(weight.flatten()))
    const x = base.zeros([2, variant.shape[1]], dtype, base.meta)
    expect(base.linear(x, planned).shape).toEqual([2, variant.shape[0]])
  })
}

function describeParts({ tensors, attributes }: TestParts): unknown {
  const shapes = Object.entries(tensors).map(([name, { shape, dtype }]) => [name, shape, dtype])
  return [shapes, attributes]
}
