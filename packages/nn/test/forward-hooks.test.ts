import { hostFloat32, mul, tensor, zeros, type Tensor } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { hasForwardHooks, Linear, Module, ReLU, Sequential } from '../src/index.ts'

const x = tensor([[1, -2]])
const numbers = (y: Tensor): number[] => [...hostFloat32(y)]

describe('forward hooks', () => {
  it('see arguments and output, in the order of registration, until they are removed', () => {
    const linear = new Linear(tensor([[2, 1]]))
    const seen: unknown[] = []
    const first = linear.registerForwardPreHook((module, args) => {
      seen.push(['pre', module === linear, args[0] === x])
    })
    linear.registerForwardPreHook(() => void seen.push('second'))
    const last = linear.registerForwardHook((module, [input], output) => {
      seen.push(['post', module === linear, input === x, numbers(output as Tensor)])
    })
    expect(numbers(new Sequential(linear, new ReLU()).forward(x))).toEqual([0])
    expect(seen).toEqual([['pre', true, true], 'second', ['post', true, true, [0]]])
    first.remove()
    first.remove()
    last.remove()
    linear.forward(x)
    expect(seen.slice(3)).toEqual(['second'])
  })

  it('replace arguments and output', () => {
    const linear = new Linear(tensor([[2, 1]]))
    linear.registerForwardPreHook(() => [tensor([[10, 1]])])
    linear.registerForwardHook((_module, args, output) => mul(output as Tensor, args[0] as Tensor))
    expect(numbers(linear.forward(x))).toEqual([210, 21])
  })

  it('leave no trace in the tree, and none at all once the last is removed', () => {
    class Arrow extends Module {
      forward = (input: Tensor): Tensor => input
    }
    for (const module of [new Linear(zeros([2, 2])), new Arrow()]) {
      const { forward } = module
      const keys = Object.keys(module)
      const handles = [
        module.registerForwardHook(() => undefined),
        module.registerForwardPreHook(() => undefined),
      ]
      expect(hasForwardHooks(module)).toBe(true)
      expect([...module.stateDict().keys()]).toEqual(module instanceof Linear ? ['weight'] : [])
      for (const handle of handles) handle.remove()
      expect(hasForwardHooks(module)).toBe(false)
      expect(module.forward).toBe(forward)
      expect(Object.keys(module)).toEqual(keys)
    }
  })

  it('need a module that computes', () => {
    class Empty extends Module {}
    expect(() => new Empty().registerForwardHook(() => undefined)).toThrow(
      'Expected a module with forward() to hook into, got Empty.',
    )
  })
})
