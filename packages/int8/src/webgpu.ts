/** @file Int8 weights on the GPU: quantizing them, and their products. */

export {
  int8Kernels,
  int8LinearKernels,
  webgpuKernels,
  type Int8KernelOptions,
} from './webgpu/kernels.ts'
export { subgroupMatrices } from './webgpu/matrices.ts'
export { INT8_TUNING, type Int8Tuning, type TileTuning } from './webgpu/tuning.ts'
export type { Method } from './webgpu/products.ts'
