import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import * as ao from '@ao/base-tensor'
import { thrownBy } from './support.ts'

const parts = {
  package: '@ao/int8',
  expected: 'groupSize to divide K=4096',
  got: '48',
  cure: 'Use 32, 64 or 128.',
}

const classes = [
  ao.AoError,
  ao.ShapeError,
  ao.DTypeError,
  ao.ValueError,
  ao.UnsupportedOpError,
  ao.MissingKernelError,
  ao.DeviceError,
  ao.FormatError,
]

describe('errors', () => {
  it('say what was expected, what was got and what to do', () => {
    const error = new ao.ValueError(parts)
    expect(error.message).toBe(
      '[@ao/int8] Expected groupSize to divide K=4096, got 48. Use 32, 64 or 128.',
    )
    expect(error).toMatchObject(parts)
    expect(new ao.ValueError({ package: 'p', expected: 'more' }).message).toBe('[p] Expected more.')
  })

  it('of one package show what was got as text', () => {
    const fail = ao.errorsOf('@ao/int8')
    const messages = [
      fail(ao.ValueError, parts.expected, 48, parts.cure),
      fail(ao.ShapeError, 'two sizes', [1, 2, 3]),
      fail(ao.ShapeError, 'a size', []),
      fail(ao.DTypeError, 'more'),
    ].map(String)
    expect(messages).toEqual([
      'ValueError: [@ao/int8] Expected groupSize to divide K=4096, got 48. Use 32, 64 or 128.',
      'ShapeError: [@ao/int8] Expected two sizes, got [1, 2, 3].',
      'ShapeError: [@ao/int8] Expected a size, got [].',
      'DTypeError: [@ao/int8] Expected more.',
    ])
  })

  it.each(classes)('$errorName is an Error of its own name', (ErrorClass) => {
    const error = new ErrorClass(parts)
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(ao.AoError)
    expect(error.name).toBe(ErrorClass.errorName)
    expect(String(error)).toMatch(`${ErrorClass.errorName}: [@ao/int8] Expected`)
  })

  it('carry a cause only when there is one', () => {
    const cause = new Error('disk')
    expect(new ao.FormatError({ ...parts, cause }).cause).toBe(cause)
    const plain = new ao.FormatError(parts)
    expect('cause' in plain).toBe(false)
    expect(inspect(plain)).not.toContain('cause')
  })
})

describe('isInstance', () => {
  it.each(classes)('$errorName is itself and an AoError, and no sibling', (ErrorClass) => {
    const error: unknown = new ErrorClass(parts)
    const matching = classes.filter((other) => other.isInstance(error))
    expect(matching).toEqual(ErrorClass === ao.AoError ? [ao.AoError] : [ao.AoError, ErrorClass])
  })

  it('follows classes of other packages', () => {
    class KernelError extends ao.DeviceError {
      static override readonly errorName: string = 'KernelError'
    }
    const error = new KernelError(parts)
    expect([KernelError, ao.DeviceError, ao.AoError].every((c) => c.isInstance(error))).toBe(true)
    expect(KernelError.isInstance(new ao.DeviceError(parts))).toBe(false)
  })

  it('takes anything', () => {
    const others = [null, undefined, 1, 'AoError', {}, new Error('x'), new TypeError('x')]
    for (const other of others) expect(ao.AoError.isInstance(other)).toBe(false)
  })
})

describe('a second copy of the package', () => {
  it('is recognised by errors, tensors and subclasses of the first', async () => {
    vi.resetModules()
    const copy = (await import('@ao/base-tensor')) as typeof ao
    expect(copy.AoError).not.toBe(ao.AoError)

    const error = thrownBy(() => copy.zeros([2]).view([3]))
    expect(error).not.toBeInstanceOf(ao.AoError)
    expect(ao.ShapeError.isInstance(error)).toBe(true)
    expect(ao.ValueError.isInstance(error)).toBe(false)

    const theirs = copy.tensor([[1, 2]])
    expect(theirs).not.toBeInstanceOf(ao.DenseTensor)
    expect([ao.isTensor(theirs), ao.isDenseTensor(theirs)]).toEqual([true, true])
    expect(Array.from(ao.hostFloat32(ao.cast(theirs, 'int8')))).toEqual([1, 2])
    expect(Array.from(ao.hostFloat32(copy.linear(ao.tensor([3, 4]), theirs)))).toEqual([11])
  })
})
