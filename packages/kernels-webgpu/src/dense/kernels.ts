import type { KernelSet } from '../kernel.ts'
import { castKernel } from './cast.ts'
import { copyIntoKernel, copyKernel } from './copy.ts'

/** Kernels of the ops that @ao/base-tensor defines. */
export const denseKernels: KernelSet = [castKernel, copyKernel, copyIntoKernel]
