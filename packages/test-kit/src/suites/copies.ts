/** @file What shares storage, and what may be copied into what. */

import { expect, it } from 'vitest'
import { expectSameParts, weightOf, type FormatCase } from '../format-case.ts'

export function testCopies(test: FormatCase): void {
  const { format } = test

  it('shares storage when detached, not when cloned', () => {
    const { weight } = weightOf(test)
    const other = weightOf(test, 2).weight
    const clone = weight.clone()
    const detached = weight.detach()
    weight.copy_(other)
    expectSameParts(test, weight, other)
    expectSameParts(test, detached, other)
    expectSameParts(test, clone, weightOf(test).weight)
    expectSameParts(test, weight.contiguous(), other)
  })

  it('is copied into by its own kind only', () => {
    const { weight, hp } = weightOf(test)
    const { tensors, attributes } = weightOf(test, 2).weight.flatten()
    const optional = format.optionalTensorDataNames.find((name) => tensors[name])
    expect(() => weight.copy_(hp)).toThrow('copy_')
    if (optional) {
      const without = { ...tensors, [optional]: undefined }
      expect(() => weight.copy_(format.unflatten(without, attributes))).toThrow(optional)
    }
    expectSameParts(test, weight, weightOf(test).weight)
  })
}
