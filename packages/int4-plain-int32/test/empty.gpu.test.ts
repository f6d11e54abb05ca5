/** @file Every op of this package on empty inputs. */

import { fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import {
  dequantizeInt4PlainInt32,
  int4PlainInt32Linear,
  Int4PlainInt32Tensor,
} from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const kernels = [denseKernels, quantizeKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'float32')
}

function weight(variant: 'xpu' | 'npu', ...shape: number[]): readonly Tensor[] {
  const granularity = PerGroup(32)
  const { qdata, scale, zeroPoint } = Int4PlainInt32Tensor.fromHp(ramp(...shape), {
    granularity,
    variant,
  })
  return [qdata, scale, zeroPoint]
}

const CASES = [
  ...(['xpu', 'npu'] as const).flatMap((variant) => [
    ...[1, 20].map((M) =>
      sized(int4PlainInt32Linear, { M, N: 8, K: 64 }, ({ M, N, K }) => [
        ramp(M, K),
        weight(variant, N, K),
        ramp(N),
      ]),
    ),
    sized(dequantizeInt4PlainInt32, { E: 2, N: 8, K: 64 }, ({ E, N, K }) => [
      weight(variant, E, N, K),
      'float32',
    ]),
  ]),
]

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs, or refuses them',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThan(0)
  },
)

it('of every kernel', () => {
  const tested = new Set(CASES.map(({ op }) => op.opName))
  // Those of other packages are tested there.
  const own = webgpuKernels
    .map(({ op }) => op.opName)
    .filter((name) => name.startsWith('int4_plain_int32.'))
  expect(own.length).toBeGreaterThan(0)
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
