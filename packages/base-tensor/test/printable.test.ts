import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { freezeConfig, tensor, zeros } from '@ao/base-tensor'

it('console.log in Node shows tensors as String does, wherever they are', () => {
  for (const value of [tensor([[1, 2]]), zeros([2, 3], 'bfloat16')]) {
    expect(inspect(value)).toBe(String(value))
    expect(inspect({ value })).toBe(`{ value: ${String(value)} }`)
  }
})

it('a frozen config is shown as its name and fields', () => {
  const config = { configName: 'SomeConfig', bits: 4, toJSON: () => ({ _data: { bits: 4 } }) }
  freezeConfig(config)
  expect(inspect(config)).toBe('SomeConfig({"bits":4})')
  expect(String(config)).toBe('SomeConfig({"bits":4})')
  expect(Object.keys(config)).toEqual(['configName', 'bits', 'toJSON'])
  expect(Object.isFrozen(config)).toBe(true)
})
