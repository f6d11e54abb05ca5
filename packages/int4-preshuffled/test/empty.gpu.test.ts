/** @file Every op of this package on empty inputs. */

import { fromFloat32, numelOf, cast, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import {
  dequantizeInt4Preshuffled,
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  Int4PreshuffledTensor,
  packInt4Preshuffled,
  unpackInt4Preshuffled,
  type Int4ActivationDType,
} from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const kernels = [denseKernels, quantizeKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'bfloat16')
}

function weight(activationDtype: Int4ActivationDType, ...shape: number[]): readonly unknown[] {
  const granularity = PerGroup(32)
  const { qdata, groupScale, groupZero, rowScale } = Int4PreshuffledTensor.fromHp(ramp(...shape), {
    granularity,
    activationDtype,
  })
  return [qdata, groupScale, groupZero, rowScale, shape]
}

const CASES = [
  ...[1, 20].flatMap((M) => [
    sized(int4PreshuffledLinear, { M, N: 8, K: 64 }, ({ M, N, K }) => [
      ramp(M, K),
      weight('bfloat16', N, K),
      ramp(N),
    ]),
    sized(int4PreshuffledFloat8Linear, { M, N: 8, K: 64 }, ({ M, N, K }) => [
      ramp(M, K),
      weight('float8_e4m3fn', N, K),
      ramp(N),
    ]),
  ]),
  sized(dequantizeInt4Preshuffled, { E: 2, N: 9, K: 64 }, ({ E, N, K }) => [
    weight('bfloat16', E, N, K),
    'float32',
  ]),
  sized(packInt4Preshuffled, { N: 9, K: 64 }, ({ N, K }) => [cast(ramp(N, K), 'uint8')]),
  sized(unpackInt4Preshuffled, { N: 9, K: 64 }, ({ N, K }) => [weight('bfloat16', N, K)[0], N]),
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
    .filter((name) => name.startsWith('int4_preshuffled.'))
  expect(own.length).toBeGreaterThan(0)
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
