/** @file Kernels of ops against their references. */

import { cpu, DenseTensor, fromFloat32Array, type FloatDType } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, expectReference, sized } from '@ao/kernels-webgpu/testing'
import {
  addPositions,
  append,
  clampedGate,
  combineExperts,
  rescale,
  routeTokens,
  shortConv,
} from '@ao/causal-lm'
import { webgpuKernels } from '@ao/causal-lm/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels]
const device = (gpu && (await WebGPUDevice.create({ gpu, kernels }))) as WebGPUDevice
const FLOATS: readonly FloatDType[] = ['float32', 'float16', 'bfloat16']

function numbers(shape: number[], dtype: FloatDType = 'float32', scale = 2): DenseTensor {
  const count = shape.reduce((a, b) => a * b, 1)
  const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i * i * 0.7 + 0.3) * scale)
  return new DenseTensor(cpu.upload(dtype, fromFloat32Array(values, dtype)), shape)
}

describe.skipIf(!gpu)('kernels', () => {
  it.each(FLOATS)('of %s', async (dtype) => {
    const x = numbers([3, 8], dtype, 20)
    await expectReference(device, rescale, [x, { factor: 0.22 }])
    await expectReference(device, rescale, [x, { factor: 3, softcap: 30, roundsFactor: true }])
    await expectReference(device, addPositions, [x, numbers([9, 8], dtype), 5])
    await expectReference(device, clampedGate, [x, { limit: 7, alpha: 1.702 }])
    const [outputs, shares] = [numbers([4, 3, 8], dtype), numbers([3, 4], dtype, 1)]
    await expectReference(device, combineExperts, [outputs, shares])
    const history = numbers([9, 1, 6], dtype)
    for (const [end, tokens] of [
      [2, 2],
      [7, 3],
      [9, 9],
    ] as const) {
      const taps = numbers([6, 1, 3], dtype)
      await expectReference(device, shortConv, [history, taps, numbers([6], dtype), end, tokens])
      await expectReference(device, shortConv, [history, taps, undefined, end, tokens])
    }
    for (const isNormalized of [true, false]) {
      const logits = numbers([5, 7], dtype, 4)
      await expectReference(device, routeTokens, [logits, { perToken: 3, isNormalized }], 1e-5)
    }
  })

  it('appends rows', async () => {
    for (const dtype of FLOATS) {
      const [here, there] = [numbers([6, 4], dtype), await numbers([6, 4], dtype).to(device)]
      const rows = numbers([2, 4], dtype, 9)
      append(rows, here, 3)
      append(await rows.to(device), there, { counter: { value: 1 }, plus: 2 })
      expect(await (there as DenseTensor).data()).toEqual(await here.data())
    }
  })

  it.each([
    sized(rescale, { T: 2, H: 4 }, ({ T, H }) => [numbers([T, H]), { factor: 2 }]),
    sized(addPositions, { T: 2, H: 4 }, ({ T, H }) => [numbers([T, H]), numbers([5, H]), 1]),
    sized(clampedGate, { T: 2, I: 4 }, ({ T, I }) => [numbers([T, 2 * I]), { limit: 7, alpha: 1 }]),
    sized(combineExperts, { S: 2, T: 3, H: 4 }, ({ S, T, H }) => [
      numbers([S, T, H]),
      numbers([T, S]),
    ]),
    sized(routeTokens, { T: 2, E: 4 }, ({ T, E }) => [
      numbers([T, E]),
      { perToken: 2, isNormalized: true },
    ]),
    sized(shortConv, { T: 2, C: 4, L: 3 }, ({ T, C, L }) => [
      ...[numbers([6, C]), numbers([C, 1, L]), undefined],
      ...[5, T],
    ]),
  ])('of empty inputs', async (sizes) => {
    expect(await expectEmptyInputs(device, sizes)).toBeGreaterThan(0)
  })
})
