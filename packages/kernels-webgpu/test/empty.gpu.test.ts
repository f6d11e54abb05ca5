/** @file Every dense op on empty inputs. */

import {
  add,
  bmm,
  cast,
  copy,
  copyInto,
  embedding,
  linear,
  matmul,
  mul,
  tensor,
  zeros,
  type Tensor,
} from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'

const gpu = await testGPU()
const device = gpu && (await WebGPUDevice.create({ gpu, kernels: [denseKernels] }))
const ones = (...shape: number[]): Tensor =>
  add(zeros(shape, 'float32'), tensor(1, { dtype: 'float32' }))

const CASES = [
  sized(add, { M: 2, N: 3 }, ({ M, N }) => [ones(M, N), ones(M, N)]),
  sized(mul, { M: 2, N: 3 }, ({ M, N }) => [ones(M, N), ones(1, N)]),
  sized(cast, { M: 2, N: 3 }, ({ M, N }) => [ones(M, N), 'bfloat16']),
  sized(copy, { M: 2, N: 3 }, ({ M, N }) => [ones(N, M).transpose(0, 1)]),
  sized(copyInto, { M: 2, N: 3 }, ({ M, N }) => [ones(M, N), ones(M, N)]),
  sized(embedding, { T: 2, V: 5, H: 4 }, ({ T, V, H }) => [zeros([T], 'int32'), ones(V, H)]),
  sized(embedding, { T: 2, V: 5, H: 3 }, ({ T, V, H }) => [
    zeros([T], 'int32'),
    cast(ones(V, H), 'bfloat16'),
  ]),
  ...[4, 3, 8].flatMap((K) => [
    sized(linear, { M: 2, N: 3, K }, ({ M, N, K }) => [ones(M, K), ones(N, K)]),
    sized(linear, { M: 2, T: 30, N: 3, K }, ({ M, T, N, K }) => [
      ones(M, T, K),
      ones(N, K),
      ones(N),
    ]),
    sized(linear, { N: 3, K }, ({ N, K }) => [ones(K), ones(N, K), ones(N)]),
    sized(matmul, { M: 2, N: 3, K }, ({ M, N, K }) => [ones(M, K), ones(K, N)]),
    sized(bmm, { B: 2, M: 2, N: 3, K }, ({ B, M, N, K }) => [ones(B, M, K), ones(B, K, N)]),
  ]),
]

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThan(0)
  },
)

it('of every kernel', () => {
  const tested = new Set(CASES.map(({ op }) => op.opName))
  expect(denseKernels.map(({ op }) => op.opName).filter((name) => !tested.has(name))).toEqual([])
})
