/** @file Int8 weights on the GPU: quantizing them, and their products. */

export { int8Kernels, webgpuKernels } from './webgpu/kernels.ts'
export { INT8_TUNING, type Int8Tuning, type TileTuning } from './webgpu/tuning.ts'
