/** @file Kernels of this package's ops for WebGPUDevice of @ao/kernels-webgpu. */

import type { KernelSet } from '@ao/kernels-webgpu'
import { webgpuKernels as nnKernels } from '@ao/nn/webgpu'
import { attentionKernel } from './webgpu/attention.ts'
import { argmaxKernel, tokenNllKernel, topKKernel } from './webgpu/choose.ts'
import {
  addRmsNormKernel,
  gatedActivationKernel,
  ropeAppendKernel,
  ropeKernel,
} from './webgpu/elementwise.ts'

export { ATTENTION_TUNING } from './webgpu/attention.ts'
export { CHOOSE_TUNING } from './webgpu/choose.ts'
export { ADD_RMS_NORM_TUNING } from './webgpu/elementwise.ts'

/**
 * Kernels of the ops of this package and of @ao/nn: what a model needs besides the dense kernels of
 * @ao/kernels-webgpu and those of its weights' formats.
 */
export const webgpuKernels: KernelSet = [
  ...nnKernels,
  ...[attentionKernel, ropeKernel, ropeAppendKernel, gatedActivationKernel, addRmsNormKernel],
  ...[argmaxKernel, topKKernel, tokenNllKernel],
]
