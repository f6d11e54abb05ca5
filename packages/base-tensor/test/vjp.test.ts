import { expect, it } from 'vitest'
import {
  defineOp,
  fromFloat32,
  hostFloat32,
  matmul,
  mul,
  tensor,
  type Op,
  type Tensor,
} from '../src/index.ts'

const square: Op<[x: Tensor], Tensor> = defineOp({
  name: 'test.square',
  reference: (x: Tensor) => mul(x, x),
  isComposite: true,
  vjp: ([gradient], _results, x) => [mul(mul(gradient as Tensor, x), tensor(2))],
})
const product: Op<[a: Tensor, b: Tensor, scale: number], Tensor> = defineOp({
  name: 'test.product',
  reference: (a: Tensor, b: Tensor, scale: number) => mul(matmul(a, b), tensor(scale)),
  isComposite: true,
  vjp: ([gradient], _results, a, b, scale) => {
    const scaled = mul(gradient as Tensor, tensor(scale))
    return [matmul(scaled, b.transpose(0, 1)), matmul(a.transpose(0, 1), scaled), undefined]
  },
})

it.each([
  ['one argument', square, [tensor([0.5, -1.25, 3])]],
  [
    'arguments without gradients',
    product,
    [
      tensor([
        [1, 2],
        [3, -1],
      ]),
      tensor([[2], [5]]),
      0.5,
    ],
  ],
] as [string, Op<readonly unknown[], Tensor>, readonly unknown[]][])(
  'an op says how gradients go through it: %s, as finite differences do',
  (_name, op, args) => {
    const y = op(...args)
    const weights = Float32Array.from({ length: y.numel }, (_, i) => 1 + i)
    const loss = (...changed: readonly unknown[]): number =>
      hostFloat32(op(...changed)).reduce((sum, value, i) => sum + value * (weights[i] as number), 0)
    const gradients = op.vjp?.([fromFloat32(weights, y.shape, 'float32')], [y], ...args)
    expect(gradients).toHaveLength(args.length)
    for (const [i, arg] of args.entries()) {
      const gradient = gradients?.[i]
      if (typeof arg === 'number') {
        expect(gradient).toBeUndefined()
        continue
      }
      const input = arg as Tensor
      expect(gradient?.shape).toEqual(input.shape)
      for (const [at, value] of hostFloat32(input).entries()) {
        const moved = (by: number): number => {
          const values = hostFloat32(input).slice()
          values[at] = value + by
          return loss(...args.with(i, fromFloat32(values, input.shape, 'float32')))
        }
        const slope = (moved(0.125) - moved(-0.125)) / 0.25
        expect(hostFloat32(gradient as Tensor)[at]).toBeCloseTo(slope, 4)
      }
    }
  },
)

it('an op without one says so', () => {
  expect(matmul.vjp).toBeUndefined()
})
