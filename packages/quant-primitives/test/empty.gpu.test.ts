/** @file Every op of this package on empty inputs: a result, or one of our errors, the same on every device. */

import { cast, fromFloat32, numelOf, type StoredDType, type Tensor } from '@ao/base-tensor'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { webgpuKernels } from '@ao/quant-primitives/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import * as all from '../src/index.ts'

const gpu = await testGPU()
const kernels = [denseKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'float32')
}
const codes = (dtype: StoredDType, ...shape: number[]): Tensor => cast(ramp(...shape), dtype)
const positive = (...shape: number[]): Tensor =>
  fromFloat32(new Float32Array(numelOf(shape)).fill(0.5), shape, 'float32')

/** Blocks of a matrix (N, K), each with what scales of it have for a shape. */
const BLOCKS = [
  (_n: number, k: number) => ({ block: [1, k], scale: [_n, 1] }),
  (n: number, k: number) => ({ block: [1, 8], scale: [n, k / 8] }),
  (n: number, k: number) => ({ block: [n, k], scale: [1, 1] }),
]
const BYTES = { quantMin: -128, quantMax: 127 }
const BOUNDS = { quantMin: 0, quantMax: 15 }

const CASES = BLOCKS.flatMap((blocks) => [
  ...(['SYMMETRIC', 'ASYMMETRIC'] as const).flatMap((mapping) =>
    [
      all.chooseQparamsAffine,
      all.chooseQparamsAffineTinygemm,
      all.chooseQparamsAffineDontPreserveZero,
    ].map((op) =>
      sized(op, { N: 3, K: 16 }, ({ N, K }) => [
        ramp(N, K),
        op === all.chooseQparamsAffine ? mapping : 'ASYMMETRIC',
        blocks(N, K).block,
        'int8',
      ]),
    ),
  ),
  sized(all.quantizeAffine, { N: 3, K: 16 }, ({ N, K }) => {
    const { block, scale } = blocks(N, K)
    return [ramp(N, K), block, positive(...scale), codes('int8', ...scale), 'int8']
  }),
  sized(all.dequantizeAffine, { N: 3, K: 16 }, ({ N, K }) => {
    const { block, scale } = blocks(N, K)
    return [codes('int8', N, K), block, positive(...scale), codes('int8', ...scale), 'int8']
  }),
  sized(all.quantizeAffineNoZeroPoint, { N: 3, K: 16 }, ({ N, K }) => {
    const { block, scale } = blocks(N, K)
    return [ramp(N, K), block, positive(...scale), 'int8']
  }),
  sized(all.quantizeAffineTinygemm, { N: 3, K: 16 }, ({ N, K }) => {
    const { block, scale } = blocks(N, K)
    return [ramp(N, K), block, positive(...scale), ramp(...scale), 'uint8', BOUNDS]
  }),
  sized(all.dequantizeAffineTinygemm, { N: 3, K: 16 }, ({ N, K }) => {
    const { block, scale } = blocks(N, K)
    return [codes('uint8', N, K), block, positive(...scale), ramp(...scale), 'uint8', BOUNDS]
  }),
]).concat([
  ...[all.quantizeInt4Groupwise, all.quantizeInt4GroupwiseSymmetric].map((op) =>
    sized(op, { E: 2, N: 3, K: 16 }, ({ E, N, K }) => [ramp(E, N, K), 8]),
  ),
])

const ON_THE_CPU = [
  ...BLOCKS.flatMap((blocks) => [
    ...[all.fakeQuantizeAffine, all.fakeQuantizeAffineCachemask].map((op) =>
      sized(op, { N: 3, K: 16 }, ({ N, K }) => {
        const { block, scale } = blocks(N, K)
        return [ramp(N, K), block, positive(...scale), codes('int32', ...scale), 'int8', BYTES]
      }),
    ),
    sized(all.chooseScaleFloat8, { N: 3, K: 16 }, ({ N, K }) => [ramp(N, K), blocks(N, K).block]),
    sized(all.quantizeAffineFloat8, { N: 3, K: 16 }, ({ N, K }) => [
      ramp(N, K),
      positive(...blocks(N, K).scale),
    ]),
    sized(all.dequantizeAffineFloat8, { N: 3, K: 16 }, ({ N, K }) => [
      codes('float8_e4m3fn', N, K),
      positive(...blocks(N, K).scale),
    ]),
  ]),
  sized(all.chooseQparamsAndQuantizeAffineHqq, { N: 4, K: 64 }, ({ N, K }) => [ramp(N, K)]),
  sized(all.chooseQparamsAndQuantizeScaleOnlySinq, { N: 4, K: 64 }, ({ N, K }) => [ramp(N, K)]),
  sized(all.chooseQparamsAndQuantizeScaleOnlyHqq, { N: 4, K: 64 }, ({ N, K }) => [
    ramp(N, K),
    [1, 32],
    -8,
    7,
  ]),
  sized(all.f32ToFloatxUnpacked, { N: 4, K: 6 }, ({ N, K }) => [ramp(N, K), 3, 2]),
  sized(all.floatxUnpackedToF32, { N: 4, K: 6 }, ({ N, K }) => [codes('uint8', N, K), 3, 2]),
  sized(all.chooseQparamsAffineFloatx, { N: 4, K: 6 }, ({ N, K }) => [ramp(N, K), 3, 2]),
  sized(all.quantizeAffineFloatx, { N: 4, K: 6 }, ({ N, K }) => [ramp(N, K), positive(N), 3, 2]),
  sized(all.dequantizeAffineFloatx, { N: 4, K: 6 }, ({ N, K }) => [
    codes('uint8', N, K),
    positive(N),
    3,
    2,
  ]),
  sized(all.chooseQparamsGguf, { N: 2, K: 256 }, ({ N, K }) => [ramp(N, K), [1, 32], 'uint4']),
  ...[all.quantizeGguf, all.dequantizeGguf].map((op) =>
    sized(op, { N: 2, K: 256 }, ({ N, K }) => [
      ramp(N, K),
      [1, 32],
      'uint4',
      all.chooseQparamsGguf(ramp(N, K), [1, 32], 'uint4'),
    ]),
  ),
]

it.each(ON_THE_CPU.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs on the CPU, or refuses them',
  async (_name, each) => {
    expect(await expectEmptyInputs(undefined, each)).toBeGreaterThanOrEqual(0)
  },
)

it.each(CASES.map((each, i) => [`${each.op.opName} ${i}`, each] as const))(
  '%s takes empty inputs, or refuses them',
  async (_name, each) => {
    expect(await expectEmptyInputs(device, each)).toBeGreaterThanOrEqual(0)
  },
)

it('of every kernel', () => {
  const tested = new Set(CASES.map(({ op }) => op.opName))
  expect(webgpuKernels.map(({ op }) => op.opName).filter((name) => !tested.has(name))).toEqual([])
})
