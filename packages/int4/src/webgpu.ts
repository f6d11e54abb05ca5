/** @file WebGPU kernels of this package's ops. */

import type { Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  byExperts,
  int4Dequantize,
  int4LinearVariants,
  int4Programs,
  type Int4Product,
  type Int4Programs,
  type Int4Stored,
  type Int4TuningOptions,
} from '@ao/quantized-linear/webgpu'
import { dequantizeInt4, int4Float8Linear, int4Linear, type Int4Weight } from './linear-ops.ts'
import layout from './webgpu/layout.wgsl'

const programs: Int4Programs = /* @__PURE__ */ int4Programs({
  name: 'int4',
  order: 'sequential',
  numbers: ['scale', 'zero'],
  wgsl: layout,
})

/** What shared kernels need to know of a weight (N, K). */
function stored([codes, scale, zero]: Int4Weight): Int4Stored {
  const [n, rowBytes] = codes.shape as [number, number]
  const k = 2 * rowBytes
  const groupSize = k / (scale.shape[0] as number)
  return { n, k, groupSize, parts: { scale, zero, codes }, rowBytes, isSigned: true }
}

function productOf(x: Tensor, weight: Int4Weight, bias: Tensor | undefined): Int4Product {
  return { x, weight: stored(weight), bias }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4Kernels(options?: Int4TuningOptions): KernelSet {
  return [
    kernel(int4Linear, int4LinearVariants(programs, productOf, options)),
    kernel(
      int4Float8Linear,
      int4LinearVariants(
        programs,
        (...args) => ({ ...productOf(...args), inputDtype: 'float8_e4m3fn' }),
        options,
      ),
    ),
    kernel(dequantizeInt4, [
      {
        name: 'dequantize',
        when: 'always',
        run: (gpu, weight, dtype) =>
          byExperts(gpu, weight, weight[0].ndim === 3, (expert) =>
            int4Dequantize(gpu, programs, stored(expert), dtype),
          ),
      },
    ]),
  ]
}

/** Kernels of {@link Int4Tensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4Kernels()
