/** @file Ops on int4 codes that formats share, on the GPU. */

import { cast, fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, expectReference, sized } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import {
  float8Scales,
  moveZeroPoint,
  packInt4,
  packInt4Words,
  unpackInt4,
  unpackInt4Words,
  valueOfMiddleCode,
} from '../src/index.ts'
import {
  float8ScalesKernel,
  int4PackKernels,
  int4WordKernels,
  int4ZeroPointKernels,
} from '../src/webgpu.ts'
import { testNumbers } from '../src/webgpu/testing.ts'

const gpu = (await testGPU()) as GPU
const kernels = [
  ...[denseKernels, [float8ScalesKernel], int4PackKernels],
  ...[int4WordKernels, int4ZeroPointKernels],
]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))

const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => i % 7)
  return fromFloat32(values, shape, 'bfloat16')
}
const codes = (...shape: number[]): Tensor => cast(ramp(...shape), 'uint8')

it.each([
  [3, 20],
  [1, 6],
  [5, 8],
])('codes (%i, %i) become bytes, and codes again', async (...shape) => {
  await expectReference(device, packInt4, [codes(...shape)])
  await expectReference(device, unpackInt4, [packInt4(codes(...shape))])
})

it.each([false, true])('codes become words, and codes again; signed: %s', async (isSigned) => {
  // The last has rows that are not whole chunks of 32.
  for (const shape of [
    [9, 128],
    [2, 3, 64],
    [5, 24],
  ]) {
    const words = packInt4Words(codes(...shape), isSigned)
    await expectReference(device, packInt4Words, [codes(...shape), isSigned])
    await expectReference(device, unpackInt4Words, [words, isSigned])
  }
})

it('signed codes are in words what they are', async () => {
  const signed = cast(testNumbers([9, 64], 'float32', 3), 'int8')
  await expectReference(device, packInt4Words, [signed, false])
})

it('zero points are those of the CPU', async () => {
  await expectReference(device, moveZeroPoint, [cast(ramp(4, 9), 'int8'), 8])
  await expectReference(device, moveZeroPoint, [ramp(4, 9), -8])
  const [zero, scale] = [testNumbers([5, 6], 'float16', 15), testNumbers([5, 6], 'float16', 1, 1)]
  await expectReference(device, valueOfMiddleCode, [zero, scale])
})

it('scales in float8 are those of the CPU', async () => {
  const scale = testNumbers([2, 5, 6], 'bfloat16')
  await expectReference(device, float8Scales, [scale, undefined])
})

it.each([
  sized(packInt4, { N: 3, K: 16 }, ({ N, K }) => [codes(N, K)]),
  sized(unpackInt4, { N: 3, K: 16 }, ({ N, K }) => [cast(ramp(N, K), 'int8')]),
  ...[false, true].flatMap((isSigned) => [
    sized(packInt4Words, { N: 8, K: 64 }, ({ N, K }) => [codes(N, K), isSigned]),
    sized(packInt4Words, { N: 8, K: 40 }, ({ N, K }) => [codes(N, K), isSigned]),
    sized(unpackInt4Words, { N: 8, W: 4 }, ({ N, W }) => [cast(ramp(N, W), 'int32'), isSigned]),
  ]),
  sized(moveZeroPoint, { G: 2, N: 8 }, ({ G, N }) => [ramp(G, N), 8]),
  sized(valueOfMiddleCode, { N: 5, G: 6 }, ({ N, G }) => [ramp(N, G), ramp(N, G)]),
  sized(float8Scales, { G: 5, N: 6 }, ({ G, N }) => [ramp(G, N), undefined]),
])('$op.opName takes empty inputs, or refuses them', async (each) => {
  expect(await expectEmptyInputs(device, each as never)).toBeGreaterThan(0)
})
