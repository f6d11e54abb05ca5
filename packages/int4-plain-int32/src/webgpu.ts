/** @file WebGPU kernels of this package's ops. */

import type { KernelSet } from '@ao/kernels-webgpu'
import {
  int4Decoder,
  int4WordKernels,
  int4ZeroPointKernels,
  linearPrograms,
  SIGNED_CODES,
  weightKernels,
  type LinearPrograms,
  type LinearTuningOptions,
  type StoredWeight,
} from '@ao/quantized-linear/webgpu'
import { CODES_PER_WORD, variantOf } from './layout.ts'
import {
  dequantizeInt4PlainInt32,
  int4PlainInt32Linear,
  type Int4PlainInt32Weight,
} from './linear-ops.ts'
import qparams from './webgpu/qparams.wgsl'

const programs: LinearPrograms = /* @__PURE__ */ linearPrograms(
  /* @__PURE__ */ int4Decoder({
    name: 'int4_plain_int32',
    order: 'sequential',
    parts: ['scale', 'zero'],
    wgsl: qparams,
  }),
)

function stored([codes, scale, zero]: Int4PlainInt32Weight): StoredWeight {
  const [n, words] = codes.shape as [number, number]
  const k = CODES_PER_WORD * words
  const groupSize = k / (scale.shape[0] as number)
  const defines = variantOf(zero) === 'npu' ? SIGNED_CODES : {}
  return { n, k, groupSize, parts: { scale, zero, codes }, rowBytes: 4 * words, defines }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4PlainInt32Kernels(tuning?: LinearTuningOptions): KernelSet {
  const options = {
    linear: int4PlainInt32Linear,
    dequantize: dequantizeInt4PlainInt32,
    stored,
    isExperts: ([codes]: Int4PlainInt32Weight) => codes.ndim === 3,
  }
  return [...weightKernels(programs, options, tuning), ...int4WordKernels, ...int4ZeroPointKernels]
}

/** Kernels of {@link Int4PlainInt32Tensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4PlainInt32Kernels()
