/** @file Every op of this package on empty inputs. */

import { fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import {
  float8DynamicLinear,
  float8Linear,
  Float8Tensor,
  QuantizeTensorToFloat8Kwargs,
  type Float8FromHpOptions,
} from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const device = gpu && (await WebGPUDevice.create({ gpu, kernels: [denseKernels, webgpuKernels] }))
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'float32')
}

function weight(shape: number[], options: Float8FromHpOptions = {}): readonly unknown[] {
  const { qdata, scale } = Float8Tensor.fromHp(ramp(...shape), options)
  return [qdata, scale]
}

const CASES = [1, 20].flatMap((M) => [
  ...[PerRow(), PerGroup(8)].map((granularity) =>
    sized(float8Linear, { M, N: 6, K: 16 }, ({ M, N, K }) => [
      ...[ramp(M, K), weight([N, K], { granularity }), ramp(N)],
    ]),
  ),
  ...[PerRow(), PerTensor()].map((granularity) =>
    sized(float8DynamicLinear, { M, N: 6, K: 16 }, ({ M, N, K }) => [
      ...[ramp(M, K), weight([N, K]), ramp(N), QuantizeTensorToFloat8Kwargs({ granularity })],
    ]),
  ),
])

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs, or refuses them',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThan(0)
  },
)

it('of every kernel', () => {
  const tested = new Set(CASES.map(({ op }) => op.opName))
  const own = webgpuKernels.map(({ op }) => op.opName).filter((name) => name.startsWith('float8.'))
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
