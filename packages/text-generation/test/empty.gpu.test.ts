/** @file Every op of this package on empty inputs. */

import { fromFloat32, numelOf, zeros, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { webgpuKernels } from '@ao/text-generation/webgpu'
import { webgpuKernels as nnKernels } from '@ao/nn/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import { addRmsNorm } from '../src/ops/add-rms-norm.ts'
import { attention } from '../src/ops/attention.ts'
import { argmaxTokens, topKTokens } from '../src/ops/choose.ts'
import { gatedActivation } from '../src/ops/gated-activation.ts'
import { ropeAppend } from '../src/ops/rope-append.ts'
import { rope } from '../src/ops/rope.ts'
import { tokenNll } from '../src/ops/token-nll.ts'

const gpu = await testGPU()
const kernels = [denseKernels, nnKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ones = (...shape: number[]): Tensor =>
  fromFloat32(new Float32Array(numelOf(shape)).fill(1), shape, 'float32')

const CASES = [
  sized(gatedActivation, { M: 2, N: 3 }, ({ M, N }) => [ones(M, N), ones(M, N), 'silu']),
  ...[8, 3].map((H) =>
    sized(addRmsNorm, { M: 2, H }, ({ M, H }) => [ones(M, H), ones(M, H), ones(H), 1e-5]),
  ),
  ...[8, 4].flatMap((D) => [
    sized(rope, { T: 2, H: 3, D, P: 5 }, ({ T, H, D, P }) => [
      ones(T, H, D),
      ones(P, D / 2),
      ones(P, D / 2),
      1,
    ]),
    sized(ropeAppend, { T: 2, H: 4, G: 2, D, P: 5, C: 6 }, ({ T, H, G, D, P, C }) => [
      ones(T, H, D),
      ones(T, G, D),
      ones(T, G, D),
      ones(P, D / 2),
      ones(P, D / 2),
      ones(C, G, D),
      ones(C, G, D),
      1,
    ]),
    ...[1, 3].map((T) =>
      sized(attention, { T, H: 4, G: 2, D, C: 6 }, ({ T, H, G, D, C }) => [
        ones(T, H, D),
        ones(C, G, D),
        ones(C, G, D),
        3,
      ]),
    ),
  ]),
  sized(argmaxTokens, { T: 2, V: 9 }, ({ T, V }) => [ones(T, V)]),
  sized(topKTokens, { V: 9 }, ({ V }) => [ones(1, V), 2]),
  sized(tokenNll, { T: 2, V: 9 }, ({ T, V }) => [ones(T, V), zeros([T], 'int32')]),
]

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs, or refuses them',
  async (_name, each) => {
    const results = await expectEmptyInputs(device, each)
    // The largest of no logits is not a number.
    expect(results).toBeGreaterThanOrEqual(each.op === topKTokens ? 0 : 1)
  },
)

it('of every kernel', () => {
  const tested = new Set(CASES.map(({ op }) => op.opName))
  const own = webgpuKernels
    .map(({ op }) => op.opName)
    .filter((name) => name.startsWith('text_generation.'))
  expect(own).toHaveLength(8)
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
