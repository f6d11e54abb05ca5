/** @file Kernels of the ops that a Llama model is made of, for WebGPUDevice of @ao/kernels-webgpu. */

export { webgpuKernels } from '@ao/text-generation/webgpu'
