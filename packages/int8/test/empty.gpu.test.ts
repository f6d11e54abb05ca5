/** @file Every op of this package on empty inputs. */

import { fromFloat32, numelOf, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import {
  dynamicLinear,
  groupwiseLinear,
  Int8Tensor,
  QuantizeTensorToInt8Kwargs,
  staticLinear,
  weightOnlyLinear,
  type Int8FromHpOptions,
} from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'

const gpu = await testGPU()
const kernels = [denseKernels, quantizeKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'float32')
}

function weight(shape: number[], options: Int8FromHpOptions): readonly unknown[] {
  const { qdata, scale, zeroPoint } = Int8Tensor.fromHp(ramp(...shape), options)
  return [qdata, scale, zeroPoint]
}

const PER_ROW = QuantizeTensorToInt8Kwargs({ granularity: PerRow() })
const ASYMMETRIC = QuantizeTensorToInt8Kwargs({ mappingType: 'ASYMMETRIC' })
const PER_TENSOR = QuantizeTensorToInt8Kwargs({ granularity: PerTensor() })

const CASES = [
  ...[1, 20].flatMap((M) => [
    sized(weightOnlyLinear, { M, N: 6, K: 16 }, ({ M, N, K }) => [
      ramp(M, K),
      weight([N, K], {}),
      ramp(N),
    ]),
    sized(groupwiseLinear, { M, N: 6, K: 16 }, ({ M, N, K }) => [
      ramp(M, K),
      weight([N, K], { granularity: PerGroup(8) }),
      undefined,
      'float32',
    ]),
    ...[PER_ROW, ASYMMETRIC, PER_TENSOR].map((kwargs) =>
      sized(dynamicLinear, { M, N: 6, K: 16 }, ({ M, N, K }) => [
        ramp(M, K),
        weight([N, K], {}),
        ramp(N),
        kwargs,
        'float32',
      ]),
    ),
    ...[PER_ROW, PER_TENSOR].map((granularity) =>
      sized(staticLinear, { M, N: 6, K: 16 }, ({ M, N, K }) => [
        ramp(M, K),
        weight([N, K], {}),
        ramp(N),
        granularity,
        [fromFloat32(Float32Array.of(0.5), [1, 1], 'float32'), undefined],
        'float32',
      ]),
    ),
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
  const own = webgpuKernels
    .map(({ op }) => op.opName)
    .filter((name) => name.startsWith('quantized_linear.'))
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
