/** @file Kernels of the ops that models of all families are made of, for WebGPUDevice of @ao/kernels-webgpu. */

import type { KernelSet } from '@ao/kernels-webgpu'
import { webgpuKernels as generationKernels } from '@ao/text-generation/webgpu'
import {
  addPositionsKernel,
  appendKernel,
  clampedGateKernel,
  rescaleKernel,
  shortConvKernel,
} from './webgpu/elementwise.ts'
import { combineExpertsKernel, routeTokensKernel } from './webgpu/experts.ts'

/**
 * Kernels of the ops of this package, of @ao/text-generation and of @ao/nn: what a model needs besides the dense
 * kernels of @ao/kernels-webgpu and those of its weights' formats.
 */
export const webgpuKernels: KernelSet = [
  ...generationKernels,
  ...[appendKernel, rescaleKernel, addPositionsKernel, clampedGateKernel, shortConvKernel],
  ...[routeTokensKernel, combineExpertsKernel],
]
