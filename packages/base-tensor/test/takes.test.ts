import { describe, expect, it } from 'vitest'
import { cpu, linear, takes, tensor, zeros } from '@ao/base-tensor'

describe('takes', () => {
  it.each<[string, unknown[], string]>([
    ['t', [[1, 2]], 'Expected a tensor as argument 1, got [1, 2].'],
    ['tt', [tensor(1)], 'Expected a tensor as argument 2, got undefined.'],
    ['n', ['1'], 'Expected a number as argument 1, got 1.'],
    ['s', [[1, 0.5]], 'Expected a list of integers as argument 1, got [1, 0.5].'],
    ['z', ['float64'], 'Expected a dtype as argument 1, got float64.'],
    ['f?', [null], 'Expected a function as argument 1, got null.'],
    ['o{a b}', [{ c: 1 }], 'Expected options among a, b, got c.'],
    ['o<read:f>', [new Uint8Array(2)], 'Expected argument 1 to have read, got 0,0.'],
    ['o<size:n>', [{ size: 'x' }], 'Expected a number as size, got x.'],
    ['x', [Symbol('s')], 'Expected a text as argument 1, got Symbol(s).'],
    ['x', [Object.create(null)], 'Expected a text as argument 1, got an object.'],
  ])('%s refuses %j', (kinds, args, message) => {
    expect(() => takes(kinds, ...args)).toThrow(`[@ao/base-tensor] ${message}`)
  })

  it('accepts what fits, and what may be left out', () => {
    expect(takes('tsz?o{a}?.', tensor(1), [1, -1])).toBeUndefined()
    expect(takes('p<0 1>', [tensor(1), tensor(2), undefined])).toBeUndefined()
    expect(takes('o<run:f>', cpu)).toBeUndefined()
  })
})

it('arrays where tensors belong are refused by every op', () => {
  expect(() => linear([[1, 2]] as never, zeros([1, 2]))).toThrow(
    'a tensor as argument 1, got [[1, 2]]',
  )
})

describe('tensor', () => {
  it.each<[string, unknown, string]>([
    ['shorter rows', [[1, 2], [3]], 'rows of 2 numbers each, as the first has, got one of 1'],
    ['rows whose lengths add up', [[1, 2], [3, 4, 5], [6]], 'rows of 2 numbers each'],
    ['a number among rows', [[1], 2], 'rows of 1 numbers each, as the first has, got 2'],
    ['a row among numbers', [1, [2]], 'numbers in a tensor, got [2]'],
    ['text', ['1'], 'numbers in a tensor, got 1'],
    ['nothing', undefined, 'numbers in a tensor, got nothing'],
  ])('refuses %s', (_, values, message) => {
    expect(() => tensor(values as never)).toThrow(message)
  })

  it('takes typed arrays, also as rows', async () => {
    const rows = tensor([Float32Array.of(1, 2), Int8Array.of(3, 4)] as never)
    expect(rows.shape).toEqual([2, 2])
    expect([...(await rows.data())]).toEqual([1, 2, 3, 4])
  })

  it('refuses options that it does not know', () => {
    expect(() => tensor([1], { dType: 'int8' } as never)).toThrow(
      'options among shape, dtype, got dType',
    )
  })
})
