/** @file A process that compiles products by matrices, and has Dawn print what it makes of them: SPIR-V. */

import { DenseTensor, fromFloat32Array, linear, type Tensor } from '@ao/base-tensor'
import { int4PreshuffledKernels } from '@ao/int4-preshuffled/webgpu'
import { int8Kernels, subgroupMatrices } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { denseMatrices } from '@ao/kernels-webgpu/matrices'
import { create, globals } from 'webgpu'
import { configOf } from '../src/linears.ts'
import { randomWeight } from '../src/random-tensors.ts'

Object.assign(globalThis, globals)
const backend = process.env['AO_WEBGPU_BACKEND'] ?? 'vulkan'
const gpu = create([`backend=${backend}`, 'enable-dawn-features=allow_unsafe_apis,dump_shaders'])

// Parts of both sides; one matrix each, which is compiled soon.
const tile = { m: 8, n: 8, subgroupM: 4, subgroupN: 4, step: 32 }
const tuning = { minRows: 2, wantedWorkgroups: 1, tiles: [tile], isAlone: true }
const kernels = [
  denseKernels,
  denseMatrices(tuning),
  int8Kernels({ matrices: subgroupMatrices(tuning) }),
  int4PreshuffledKernels({ half: 'f32', matrix: tuning }),
]
const device = await WebGPUDevice.create({ gpu, kernels })

const numbers = (rows: number): DenseTensor => {
  const values = fromFloat32Array(new Float32Array(rows * 64), 'float16')
  return new DenseTensor(device.upload('float16', values), [rows, 64])
}
const quantized = (format: string): Tensor => {
  const config = configOf(format)
  if (!config) throw new Error(`${format} is not a format`)
  return randomWeight(config, [32, 64], { device, dtype: 'float16', seed: 1 })
}
const weights = [numbers(32), ...['preshuffled', 'int8', 'int8 dynamic'].map(quantized)]
for (const weight of weights) linear(numbers(32), weight)
await device.finish()
process.exit(0) // Dawn keeps the process alive
