/** @file Every op of this package on empty inputs. */

import { fromFloat32, numelOf, cast, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { expectEmptyInputs, sized } from '@ao/kernels-webgpu/testing'
import { webgpuKernels as quantizeKernels } from '@ao/quant-primitives/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { expect, it } from 'vitest'
import {
  dequantizeInt4Tiles,
  int4TiledLinear,
  Int4TilePackedTo4dTensor,
  packInt4Tiles,
  unpackInt4Tiles,
} from '../src/index.ts'
import { webgpuKernels } from '../src/webgpu.ts'

const gpu = await testGPU()
const kernels = [denseKernels, quantizeKernels, webgpuKernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const ramp = (...shape: number[]): Tensor => {
  const values = Float32Array.from({ length: numelOf(shape) }, (_, i) => (i % 7) - 3)
  return fromFloat32(values, shape, 'bfloat16')
}

function weight(...shape: number[]): readonly unknown[] {
  const granularity = PerGroup(32)
  const { qdata, scaleAndZero } = Int4TilePackedTo4dTensor.fromHp(ramp(...shape), { granularity })
  return [qdata, scaleAndZero, shape]
}

const CASES = [
  ...[1, 20].map((M) =>
    sized(int4TiledLinear, { M, N: 8, K: 64 }, ({ M, N, K }) => [
      ramp(M, K),
      weight(N, K),
      ramp(N),
    ]),
  ),
  sized(dequantizeInt4Tiles, { E: 2, N: 8, K: 64 }, ({ E, N, K }) => [weight(E, N, K), 'float32']),
  sized(packInt4Tiles, { N: 8, K: 1024 }, ({ N, K }) => [cast(ramp(N, K), 'uint8')]),
  sized(unpackInt4Tiles, { N: 1, K: 8 }, ({ N, K }) => [cast(ramp(N, K, 32, 4), 'int32')]),
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
    .filter((name) => name.startsWith('int4_tile_packed_to_4d.'))
  expect(own.length).toBeGreaterThan(0)
  expect(own.filter((name) => !tested.has(name))).toEqual([])
})
