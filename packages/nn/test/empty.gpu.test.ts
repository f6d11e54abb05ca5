/** @file Every op of nn on empty inputs. */

import { fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { conv2d, gelu, geluTanh, layerNorm, relu, rmsNorm, silu, softmax } from '@ao/nn'
import { webgpuKernels } from '@ao/nn/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ones = (...shape: number[]): Tensor =>
  fromFloat32(new Float32Array(numelOf(shape)).fill(1), shape, 'float32')

const CASES = [
  ...[relu, silu, gelu, geluTanh].map((op) =>
    sized(op, { M: 2, N: 3 }, ({ M, N }) => [ones(M, N)]),
  ),
  ...[8, 3].flatMap((H) => [
    sized(rmsNorm, { M: 2, H }, ({ M, H }) => [ones(M, H), ones(H), 1e-5]),
    sized(layerNorm, { M: 2, H }, ({ M, H }) => [ones(M, H), [H], ones(H), ones(H), 1e-5]),
    sized(layerNorm, { M: 2, T: 2, H }, ({ M, T, H }) => [ones(M, T, H), [T, H]]),
    sized(softmax, { M: 2, H }, ({ M, H }) => [ones(M, H)]),
    sized(softmax, { M: 2, H }, ({ M, H }) => [ones(M, H), 0]),
  ]),
]
const ON_THE_CPU = [
  sized(conv2d, { B: 1, C: 2, H: 5, W: 4, O: 3, KH: 3, KW: 2 }, ({ B, C, H, W, O, KH, KW }) => [
    ones(B, C, H, W),
    ones(O, C, KH, KW),
    ones(O),
  ]),
]

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThan(0)
  },
)

it.each(ON_THE_CPU.map((each) => [each.op.opName, each] as const))(
  '%s takes empty inputs on the CPU',
  async (_name, each) => {
    expect(await expectEmptyInputs(undefined, each)).toBeGreaterThan(0)
  },
)

it('of every kernel', () => {
  const tested = new Set(CASES.map(({ op }) => op.opName))
  expect(webgpuKernels.map(({ op }) => op.opName).filter((name) => !tested.has(name))).toEqual([])
})
