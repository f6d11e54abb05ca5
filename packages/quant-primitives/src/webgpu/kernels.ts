import type { KernelSet } from '@ao/kernels-webgpu'
import { dequantizeKernel, quantizeKernel } from './affine.ts'
import { chooseAffineKernel } from './choose.ts'
import { float8Kernels } from './float8.ts'
import { int4Kernels } from './groupwise.ts'
import { tinygemmKernels } from './tinygemm.ts'

/** Kernels of `chooseQparamsAffine`, `quantizeAffine` and `dequantizeAffine`. */
export const affineKernels: KernelSet = [chooseAffineKernel, quantizeKernel, dequantizeKernel]

/** Kernels of all ops of this package that quantize to integers or float8, and back. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ [
  affineKernels,
  tinygemmKernels,
  int4Kernels,
  float8Kernels,
].flat()
