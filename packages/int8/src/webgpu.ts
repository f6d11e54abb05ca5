/** @file WebGPU kernels for int8 weights: of their products, and of those ops that quantize. */

import type { KernelSet } from '@ao/kernels-webgpu'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import { int8LinearKernels, type Int8KernelOptions } from '@ao/quantized-linear/webgpu'

export {
  int8LinearKernels,
  subgroupMatrices,
  type Int8KernelOptions,
  type SubgroupMatrices,
} from '@ao/quantized-linear/webgpu'

/** {@link int8LinearKernels}, and kernels of the ops that quantize a weight on the GPU. */
/* @__NO_SIDE_EFFECTS__ */
export function int8Kernels(options?: Int8KernelOptions): KernelSet {
  return [...affineKernels, ...int8LinearKernels(options)]
}

/** {@link int8Kernels}, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int8Kernels()
