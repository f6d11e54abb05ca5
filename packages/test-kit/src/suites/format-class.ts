/** @file What a format's class has, besides its tensors. */

import { expect, it } from 'vitest'
import type { TestInt4Class, TestInt4Codes, TestTensor } from '../contracts.ts'
import { expectEqual, hasOp, weightOf, type FormatCase } from '../format-case.ts'

const LISTS = [
  'tensorDataNames',
  'optionalTensorDataNames',
  'tensorAttributeNames',
  'optionalTensorAttributeNames',
] as const

export function testFormatClass(test: FormatCase): void {
  const { format } = test

  it('has a name, lists of names that differ, a codec for each attribute, and linear', () => {
    expect(format.formatName).toMatch(/^[A-Z]\w*$/)
    const names = LISTS.flatMap((list) => format[list])
    expect(names).toEqual([...new Set(names)])
    expect(format.tensorDataNames).not.toEqual([])
    const attributes = [...format.tensorAttributeNames, ...format.optionalTensorAttributeNames]
    expect(Object.keys(format.attributeCodecs)).toEqual(expect.arrayContaining(attributes))
    expect(hasOp(format, 'linear')).toBe(true)
    expect(typeof format.fromHp).toBe('function')
  })

  if (isInt4(format)) testInt4(test, format)
}

function testInt4(test: FormatCase, format: TestInt4Class): void {
  it('has a packing format, algorithms, and gives and takes codes', () => {
    expect(format.packingFormat).toMatch(/^[A-Z0-9_]+$/)
    expect(format.chooseQparamsAlgorithms).toContain('TINYGEMM')
    const { hp, weight } = weightOf(test)
    expect(() => format.fromHp(hp, { noSuchOption: 1 })).toThrow('noSuchOption')
    if (test.variant.refusesCodes) {
      expect(() => toCodes(weight)).toThrow('divide K')
      return
    }
    const codes = toCodes(weight)
    expect(codes.codes.shape).toEqual(weight.shape)
    expect(codes.dtype).toBe(weight.dtype)
    const again = toCodes(format.fromCodes(codes))
    expect(again.groupSize).toBe(codes.groupSize)
    expectEqual(test, again.codes, codes.codes)
    expectEqual(test, again.scale, codes.scale)
  })
}

function isInt4(format: object): format is TestInt4Class {
  return 'packingFormat' in format
}

function toCodes(weight: TestTensor): TestInt4Codes {
  return (weight as TestTensor & { toCodes(): TestInt4Codes }).toCodes()
}
