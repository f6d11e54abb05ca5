/**
 * @file Kernels of this package's ops for WebGPU, and the WGSL that formats' kernels share with them.
 *
 * Codes, scales and zero points are those of the CPU, bit for bit: see `webgpu/exact.wgsl`.
 */

export { blockSizeOfScale, finiteScales } from './float8.ts'
export { blockRanges } from './webgpu/choose.ts'
export { convertBlocks, converter, type Conversion } from './webgpu/convert.ts'
export { affineKernels, webgpuKernels } from './webgpu/kernels.ts'
export { arithmeticWgsl, qparamsWgsl } from './webgpu/snippets.ts'
export { roundingDefines, finiteDefines, ruleDefines, ruleParams } from './webgpu/rounding.ts'
export { areContiguousBlocks, elementDefines } from './webgpu/contiguous-blocks.ts'
