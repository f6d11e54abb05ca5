import type { KernelSet } from '@ao/kernels-webgpu'
import { affineKernels } from './affine.ts'
import { chooseKernels } from './choose.ts'
import { int4Kernels } from './groupwise.ts'

/** Kernels of the ops of this package that quantize to integers, and back. */
export const webgpuKernels: KernelSet = [...chooseKernels, ...affineKernels, ...int4Kernels]
