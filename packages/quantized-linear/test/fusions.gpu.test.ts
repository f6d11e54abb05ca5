import {
  add,
  defineOp,
  fromFloat32,
  hostFloat32,
  linear,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, kernel, WebGPUDevice, type KernelSet } from '@ao/kernels-webgpu'
import { expectReference } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { linearVariants, SILU_MUL, stepByStep, type LinearProduct } from '../src/webgpu.ts'
import { onlyVariant, testNumbers } from '../src/webgpu/testing.ts'
import { int4Format, int8Format, type ToyFormat, type ToyWeight } from './toy-formats.ts'

const gpu = (await testGPU()) as GPU
const EPS = 1e-5

interface Fused {
  readonly norm?: boolean
  readonly second?: boolean
  readonly residual?: boolean
}

type Args = [x: Tensor, first: ToyWeight, second: ToyWeight, norm: Tensor, residual: Tensor]

/** `rms_norm -> linear -> silu_mul with a second linear -> add`, of which any may be left out. */
function fusedOp({
  norm: hasNorm,
  second: hasSecond,
  residual: hasResidual,
}: Fused): Op<Args, Tensor> {
  return defineOp({
    name: 'toy.fused',
    budget: { nmse: 1e-6 },
    reference: (x: Tensor, [w]: ToyWeight, [v]: ToyWeight, norm: Tensor, residual: Tensor) => {
      const input = hasNorm ? rmsNorm(x, norm) : x
      const first = linear(input, w)
      const y = hasSecond ? siluMul(first, linear(input, v)) : first
      return hasResidual ? add(y, residual) : y
    },
    meta: (_x, _w, _v, _norm, residual) => residual,
  })
}

function rmsNorm(x: Tensor, weight: Tensor): Tensor {
  const [values, weights] = [hostFloat32(x), hostFloat32(weight)]
  const k = weights.length
  const scales = Array.from({ length: values.length / k }, (_, row) => {
    const squares = values.subarray(row * k, (row + 1) * k).reduce((sum, v) => sum + v * v, 0)
    return 1 / Math.sqrt(squares / k + EPS)
  })
  const y = values.map(
    (v, i) => v * (scales[Math.floor(i / k)] as number) * (weights[i % k] as number),
  )
  return fromFloat32(y, x.shape, 'float32')
}

function siluMul(a: Tensor, b: Tensor): Tensor {
  const other = hostFloat32(b)
  const y = hostFloat32(a).map((v, i) => (v / (1 + Math.exp(-v))) * (other[i] as number))
  return fromFloat32(y, a.shape, 'float32')
}

function kernels({ programs, stored }: ToyFormat, op: Op<Args, Tensor>, fused: Fused): KernelSet {
  const productOf = (...[x, first, second, norm, residual]: Args): LinearProduct => ({
    x,
    weight: stored(first),
    rmsNorm: fused.norm ? { weight: norm, eps: EPS } : undefined,
    second: fused.second ? { weight: stored(second), join: SILU_MUL } : undefined,
    residual: fused.residual ? residual : undefined,
  })
  const products = linearVariants(programs, (product: LinearProduct) => product)
  return [kernel(op, [...linearVariants(programs, productOf), stepByStep(products, productOf)])]
}

const [N, K] = [14, 96]

describe.skipIf(!gpu).each([
  ['int4', int4Format, 32],
  ['int8', int8Format, K],
] as const)('%s', (_name, format, groupSize) => {
  it.each([
    ['a residual', { residual: true }, 'gemv', 1],
    ['a residual', { residual: true }, 'batch', 3],
    ['a norm', { norm: true }, 'gemv', 1],
    ['gate and up', { second: true }, 'gemv', 1],
    ['all of it', { norm: true, second: true, residual: true }, 'gemv, subgroups', 1],
    ['all of it', { norm: true, second: true, residual: true }, 'step by step', 3],
  ] as const)('%s %o by %s, %i rows', async (_fusion, fused, variant, m) => {
    const op = fusedOp(fused)
    const own = onlyVariant(kernels(format, op, fused), op, variant)
    const device = await WebGPUDevice.create({ gpu, kernels: [denseKernels, own] })
    const { count } = await expectReference(device, op, [
      testNumbers([m, K], 'float32', 2),
      format.make(N, K, groupSize),
      format.make(N, K, groupSize, 100),
      testNumbers([K], 'float32', 1, 7),
      testNumbers([m, N], 'float32', 1, 9),
    ])
    expect(count).toBe(m * N)
    device.destroy()
  })
})
