import type { KernelSet } from '@ao/kernels-webgpu'
import { dequantizeKernel, quantizeKernel } from './affine.ts'
import { chooseAffineKernel } from './choose.ts'
import { int4Kernels } from './groupwise.ts'
import { tinygemmKernels } from './tinygemm.ts'

/** Kernels of `chooseQparamsAffine`, `quantizeAffine` and `dequantizeAffine`. */
export const affineKernels: KernelSet = [chooseAffineKernel, quantizeKernel, dequantizeKernel]

/** Kernels of all ops of this package that quantize to integers, and back; those on float8 are in `@ao/quantized-linear`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ [
  affineKernels,
  tinygemmKernels,
  int4Kernels,
].flat()
