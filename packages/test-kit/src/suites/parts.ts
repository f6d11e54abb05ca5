/** @file A format taken apart and put together again, as files do. */

import { expect, it } from 'vitest'
import { expectEqual, expectSameParts, weightOf, type FormatCase } from '../format-case.ts'

export function testParts(test: FormatCase): void {
  const { base, format } = test

  it('comes back from its parts', () => {
    const { weight } = weightOf(test)
    const { tensors, attributes } = weight.flatten()
    const again = format.unflatten(tensors, attributes)
    expectSameParts(test, again, weight)
    expectEqual(test, again.dequantize(), weight.dequantize())
    for (const name of format.tensorDataNames) expect(tensors[name]).toBeDefined()
    const known = [...format.tensorDataNames, ...format.optionalTensorDataNames]
    expect(known).toEqual(expect.arrayContaining(Object.keys(tensors)))
    const names = [...format.tensorAttributeNames, ...format.optionalTensorAttributeNames]
    expect(Object.keys(attributes).sort()).toEqual([...names].sort())
    const bytes = Object.values(tensors).reduce((sum, tensor) => sum + tensor.nbytes, 0)
    expect(weight.nbytes).toBe(bytes)
  })

  it('refuses parts that lack a required one', () => {
    const { tensors, attributes } = weightOf(test).weight.flatten()
    for (const name of format.tensorDataNames) {
      expect(() => format.unflatten({ ...tensors, [name]: undefined }, attributes)).toThrow(name)
    }
    for (const name of Object.keys(attributes)) {
      const { [name]: _, ...others } = attributes
      expect(() => format.unflatten(tensors, others)).toThrow(name)
    }
  })

  it('writes its attributes as JSON and reads them back', () => {
    const { weight } = weightOf(test)
    const { tensors, attributes } = weight.flatten()
    const read = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => {
        const codec = format.attributeCodecs[name]
        const json = JSON.stringify(base.encodeJson(codec, value, 'metadata'))
        return [name, base.decodeJson(codec, JSON.parse(json), name)]
      }),
    )
    expectSameParts(test, format.unflatten(tensors, read), weight)
  })

  it('prints its name and parts', () => {
    const { weight } = weightOf(test)
    expect(weight.toString()).toContain(format.formatName)
    for (const name of format.tensorDataNames) expect(weight.toString()).toContain(name)
  })

  it('names what it can do when asked for something else', () => {
    const { weight } = weightOf(test)
    const unknown = base.defineOp({ name: 'test.unknown', reference: () => weight })
    expect(() => unknown(weight)).toThrow(format.formatName)
    for (const { opName } of format.ops) expect(() => unknown(weight)).toThrow(opName)
  })
}
