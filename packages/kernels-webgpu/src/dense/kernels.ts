import type { KernelSet } from '../kernel.ts'
import { castKernel } from './cast.ts'
import { copyIntoKernel, copyKernel } from './copy.ts'
import { addKernel, mulKernel } from './elementwise.ts'
import { embeddingKernel } from './embedding.ts'
import { bmmKernel, linearKernel, matmulKernel } from './linear.ts'

/** Kernels of the ops that @ao/base-tensor defines. */
export const denseKernels: KernelSet = [
  ...[castKernel, copyKernel, copyIntoKernel],
  ...[linearKernel, matmulKernel, bmmKernel],
  ...[addKernel, mulKernel, embeddingKernel],
]
