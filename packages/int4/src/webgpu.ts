/** @file WebGPU kernels of this package's ops. */

import type { KernelSet } from '@ao/kernels-webgpu'
import {
  int4Decoder,
  int4PackKernels,
  linearPrograms,
  SIGNED_CODES,
  weightKernels,
  type LinearPrograms,
  type LinearTuningOptions,
  type StoredWeight,
} from '@ao/quantized-linear/webgpu'
import { dequantizeInt4, int4Float8Linear, int4Linear, type Int4Weight } from './linear-ops.ts'
import qparams from './webgpu/qparams.wgsl'

const programs: LinearPrograms = /* @__PURE__ */ linearPrograms(
  /* @__PURE__ */ int4Decoder({
    name: 'int4',
    order: 'sequential',
    parts: ['scale', 'zero'],
    wgsl: qparams,
  }),
)

function stored([codes, scale, zero]: Int4Weight): StoredWeight {
  const [n, rowBytes] = codes.shape as [number, number]
  const k = 2 * rowBytes
  const groupSize = k / (scale.shape[0] as number)
  return { n, k, groupSize, parts: { scale, zero, codes }, rowBytes, defines: SIGNED_CODES }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4Kernels(tuning?: LinearTuningOptions): KernelSet {
  const options = {
    linear: int4Linear,
    float8Linear: int4Float8Linear,
    dequantize: dequantizeInt4,
    stored,
    isExperts: ([codes]: Int4Weight) => codes.ndim === 3,
  }
  return [...weightKernels(programs, options, tuning), ...int4PackKernels]
}

/** Kernels of {@link Int4Tensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4Kernels()
