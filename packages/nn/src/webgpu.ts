/** @file Kernels of this package's ops for WebGPUDevice of @ao/kernels-webgpu. */

import type { KernelSet } from '@ao/kernels-webgpu'
import { geluKernel, geluTanhKernel, reluKernel, siluKernel } from './webgpu/activations.ts'
import { layerNormKernel, rmsNormKernel, softmaxKernel } from './webgpu/norms.ts'

export { NORM_TUNING } from './webgpu/norms.ts'

/** Kernels of the ops that @ao/nn defines, but for conv2d. */
export const webgpuKernels: KernelSet = [
  ...[reluKernel, siluKernel, geluKernel, geluTanhKernel],
  ...[rmsNormKernel, layerNormKernel, softmaxKernel],
]
