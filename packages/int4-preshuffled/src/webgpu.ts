/** @file WebGPU kernels of this package's ops. */

import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  float8ScalesKernel,
  int4Decoder,
  int4PackKernels,
  linearPrograms,
  packCodes,
  unpackCodes,
  weightKernels,
  type Int4Decoder,
  type LinearPrograms,
  type LinearTuningOptions,
  type StoredWeight,
} from '@ao/quantized-linear/webgpu'
import { BAND_ROWS, bandsOf, LANE_CODES, WORD_CODES } from './layout.ts'
import {
  dequantizeInt4Preshuffled,
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  type Int4PreshuffledWeight,
} from './linear-ops.ts'
import { packInt4Preshuffled, unpackedShape, unpackInt4Preshuffled } from './shuffle.ts'
import qparams from './webgpu/qparams.wgsl'

const decoder: Int4Decoder = /* @__PURE__ */ int4Decoder({
  name: 'int4_preshuffled',
  order: 'neighbours',
  parts: ['scale', 'zero', 'rowScale'],
  wgsl: qparams,
})
const programs: LinearPrograms = /* @__PURE__ */ linearPrograms(decoder)

function stored([codes, scale, zero, rowScale, shape]: Int4PreshuffledWeight): StoredWeight {
  const [n, k] = shape as [number, number]
  const groupSize = k / (scale.shape[1] as number)
  const parts = { scale, zero, rowScale, codes }
  return { n, k, groupSize, parts, rowBytes: k / 2, isSymmetric: !zero }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4PreshuffledKernels(tuning?: LinearTuningOptions): KernelSet {
  const options = {
    linear: int4PreshuffledLinear,
    float8Linear: int4PreshuffledFloat8Linear,
    dequantize: dequantizeInt4Preshuffled,
    stored,
    isExperts: ([codes]: Int4PreshuffledWeight) => codes.ndim === 3,
  }
  return [
    ...weightKernels(programs, options, tuning),
    kernel(packInt4Preshuffled, [
      {
        name: 'pack',
        when: 'K is a multiple of 32',
        fits: (_gpu, codes) => (codes.shape.at(-1) as number) % LANE_CODES === 0,
        run: (gpu, codes) => {
          const [n, k] = codes.shape.slice(-2) as [number, number]
          const rows = bandsOf(n) * BAND_ROWS
          const shape = [...codes.shape.slice(0, -2), rows, k / WORD_CODES]
          return packCodes(gpu, decoder, codes, shape, { n, k, rows })
        },
      },
    ]),
    kernel(unpackInt4Preshuffled, [
      {
        name: 'unpack',
        when: 'K is a multiple of 32',
        fits: (_gpu, words) => ((words.shape.at(-1) as number) * WORD_CODES) % LANE_CODES === 0,
        run: (gpu, words, n) => {
          const [rows] = words.shape.slice(-2) as [number]
          const shape = unpackedShape(words, n)
          return unpackCodes(gpu, decoder, words, shape, { n, k: shape.at(-1) as number, rows })
        },
      },
    ]),
    float8ScalesKernel,
    ...int4PackKernels,
  ]
}

/** Kernels of {@link Int4PreshuffledTensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4PreshuffledKernels()
