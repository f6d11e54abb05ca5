/** @file Every op of this package on empty inputs. */

import { fromArray, fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { bitsLinear, packBits, unpackBits, type BitsWeight } from '@ao/quantized-linear'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import { intxDynamicLinear, IntxUnpackedToInt8Tensor } from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const form = { bits: 4, isSigned: true, dtype: 'float32' } as const
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'float32')
}

function weight(...shape: number[]): BitsWeight {
  const options = { targetDtype: 'int4', granularity: PerGroup(32) } as const
  const { qdata, scale, zeroPoint } = IntxUnpackedToInt8Tensor.fromHp(ramp(...shape), options)
  return [packBits(qdata, 4), scale, zeroPoint]
}

const CASES = [
  ...[1, 20].flatMap((M) => [
    sized(bitsLinear, { M, N: 8, K: 64 }, ({ M, N, K }) => [
      ...[ramp(M, K), weight(N, K), form, ramp(N)],
    ]),
    sized(intxDynamicLinear, { M, N: 8, K: 64 }, ({ M, N, K }) => [
      ...[ramp(M, K), weight(N, K), form, 'int8_asym_per_token', ramp(N)],
    ]),
  ]),
  sized(packBits, { N: 8, K: 64 }, ({ N, K }) => [
    fromArray(new Int8Array(N * K).fill(3), [N, K], 'int8'),
    4,
  ]),
  sized(unpackBits, { N: 8, K: 8 }, ({ N, K }) => [
    fromArray(new Int32Array(N * K).fill(99), [N, K], 'int32'),
    4,
    true,
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
  const own = webgpuKernels.map(({ op }) => op.opName).filter((name) => name.startsWith('intx.'))
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
