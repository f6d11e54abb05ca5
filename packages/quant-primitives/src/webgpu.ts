/**
 * @file Kernels of this package's ops for WebGPU, and the WGSL that formats' kernels share with them.
 *
 * Codes, scales and zero points are those of the CPU, bit for bit: see `webgpu/exact.wgsl`.
 */

export { float8Kernels, roundToFloat8, type Float8Rule } from './webgpu/float8.ts'
export { affineKernels, webgpuKernels } from './webgpu/kernels.ts'
export { arithmeticWgsl, qparamsWgsl } from './webgpu/snippets.ts'
export { roundingDefines, finiteDefines, ruleDefines, ruleParams } from './webgpu/rounding.ts'
export { elementDefines } from './webgpu/contiguous-blocks.ts'
