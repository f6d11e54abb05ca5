/** @file Sums and products of elements, with broadcasting. */

import {
  add,
  cast,
  contiguousStrides,
  isFloatDType,
  mul,
  numelOf,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { storedFloat, storedOutput } from '../floats.ts'
import { grid, kernel, type GPU, type Kernel, type Param } from '../kernel.ts'
import { wgsl } from '../program.ts'
import numbers from '../wgsl/numbers.wgsl'
import stored from '../wgsl/stored.wgsl'
import source from './elementwise.wgsl'
import { onMeta } from '../on-meta.ts'

const program = /* @__PURE__ */ wgsl('elementwise', numbers + stored + source)
const MAX_RANK = 8

type Elementwise = Op<[a: Tensor, b: Tensor], Tensor>

export const addKernel: Kernel = /* @__PURE__ */ elementwise(add, '+')
export const mulKernel: Kernel = /* @__PURE__ */ elementwise(mul, '*')

/* @__NO_SIDE_EFFECTS__ */
function elementwise(op: Elementwise, operator: string): Kernel {
  return kernel(op, [
    {
      name: 'equal shapes',
      when: 'both have one shape and one floating dtype',
      fits: (_gpu, a, b) =>
        a.dtype === b.dtype && isFloatDType(a.dtype) && a.shape.join() === b.shape.join(),
      run: (gpu, a, b) => run(gpu, operator, a.shape, a.dtype as FloatDType, a, b),
    },
    {
      name: 'broadcast',
      when: `up to ${MAX_RANK} dimensions`,
      fits: (_gpu, a, b) => Math.max(a.ndim, b.ndim) <= MAX_RANK,
      run: (gpu, a, b) => {
        const { shape, dtype } = onMeta(op, a, b)
        if (isFloatDType(dtype)) return run(gpu, operator, shape, dtype, a, b)
        return gpu.scope(() => cast(run(gpu, operator, shape, 'float32', a, b), dtype))
      },
    },
  ])
}

function run(
  gpu: GPU,
  operator: string,
  shape: readonly number[],
  dtype: FloatDType,
  a: Tensor,
  b: Tensor,
): Tensor {
  return gpu.scope(() => {
    const [left, right] = [storedFloat(gpu, a), storedFloat(gpu, b)]
    return storedOutput(gpu, shape, dtype, true, (y) => {
      const n = numelOf(shape)
      const isBroadcast = left.numel !== n || right.numel !== n
      const defines = {
        OP: operator,
        A: left.dtype,
        B: right.dtype,
        Y: y.dtype,
        BROADCAST: isBroadcast,
        RANK: isBroadcast ? shape.length : 0,
      }
      const params = isBroadcast ? broadcastParams(n, shape, left, right) : [n]
      const workgroups = grid(Math.ceil(n / 4 / 64))
      gpu.dispatch(program(defines), { bind: [left, right, y], params, workgroups })
    })
  })
}

function broadcastParams(n: number, shape: readonly number[], a: Tensor, b: Tensor): Param[] {
  const fromLast = (list: readonly number[], filler: number): number[] =>
    Array.from({ length: MAX_RANK }, (_, d) => list[list.length - 1 - d] ?? filler)
  const strides = (tensor: Tensor): number[] =>
    contiguousStrides(tensor.shape).map((stride, d) => (tensor.shape[d] === 1 ? 0 : stride))
  // Arrays of vec4u begin at multiples of 16 bytes.
  return [
    ...[n, 0, 0, 0],
    ...fromLast(shape, 1),
    ...fromLast(strides(a), 0),
    ...fromLast(strides(b), 0),
  ]
}
