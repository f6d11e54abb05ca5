/** @file Every op of this package on empty inputs. */

import { cast, fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import {
  chooseScaleFloat8,
  dequantizeAffineFloat8,
  fakeQuantizeAffineFloat8,
  quantizeAffineFloat8,
} from '@ao/quant-primitives'
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

/** Blocks of a matrix (N, K), each with the shape of its scales. */
const BLOCKS = [
  (n: number, k: number) => ({ block: [1, k], scale: [n, 1] }),
  (n: number, k: number) => ({ block: [1, 8], scale: [n, k / 8] }),
  (n: number, k: number) => ({ block: [n, k], scale: [1, 1] }),
]
const positive = (...shape: number[]): Tensor =>
  fromFloat32(new Float32Array(numelOf(shape)).fill(0.5), shape, 'float32')

const CONVERSIONS = BLOCKS.flatMap((blocks) => [
  ...[chooseScaleFloat8, fakeQuantizeAffineFloat8].map((op) =>
    sized(op, { N: 3, K: 16 }, ({ N, K }) => [ramp(N, K), blocks(N, K).block]),
  ),
  sized(quantizeAffineFloat8, { N: 3, K: 16 }, ({ N, K }) => [
    ...[ramp(N, K), positive(...blocks(N, K).scale)],
  ]),
  sized(dequantizeAffineFloat8, { N: 3, K: 16 }, ({ N, K }) => [
    ...[cast(ramp(N, K), 'float8_e4m3fn'), positive(...blocks(N, K).scale)],
  ]),
])

it.each(CONVERSIONS.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s of empty inputs is empty, or refused',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThanOrEqual(0)
  },
)

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs, or refuses them',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThan(0)
  },
)

it('of every kernel', () => {
  const tested = new Set([...CASES, ...CONVERSIONS].map(({ op }) => op.opName))
  expect(webgpuKernels.map(({ op }) => op.opName).filter((name) => !tested.has(name))).toEqual([])
})
