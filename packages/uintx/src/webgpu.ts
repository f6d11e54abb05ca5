/** @file Kernels for this package's weights, whose codes are packed on the GPU. */

import type { KernelSet } from '@ao/kernels-webgpu'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import { bitsKernels } from '@ao/quantized-linear/webgpu'
import { shardKernels } from './webgpu/shards.ts'

/** Kernels for {@link UIntxBitPackedTensor} and {@link UintxTensor}, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = [
  ...affineKernels,
  .../* @__PURE__ */ bitsKernels(),
  ...shardKernels,
]
