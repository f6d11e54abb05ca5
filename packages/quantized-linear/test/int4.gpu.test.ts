/** @file Ops on int4 codes that formats share, on the GPU. */

import { cast, fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, expectReference, sized } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import { float8Scales, packInt4, unpackInt4 } from '../src/index.ts'
import { float8ScalesKernel, int4PackKernels } from '../src/webgpu.ts'
import { testNumbers } from '../src/webgpu/testing.ts'

const gpu = (await testGPU()) as GPU
const kernels = [denseKernels, [float8ScalesKernel], int4PackKernels]
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

it('scales in float8 are those of the CPU', async () => {
  const scale = testNumbers([2, 5, 6], 'bfloat16')
  await expectReference(device, float8Scales, [scale, undefined])
})

it.each([
  sized(packInt4, { N: 3, K: 16 }, ({ N, K }) => [codes(N, K)]),
  sized(unpackInt4, { N: 3, K: 16 }, ({ N, K }) => [cast(ramp(N, K), 'int8')]),
  sized(float8Scales, { G: 5, N: 6 }, ({ G, N }) => [ramp(G, N), undefined]),
])('$op.opName takes empty inputs, or refuses them', async (each) => {
  expect(await expectEmptyInputs(device, each as never)).toBeGreaterThan(0)
})
