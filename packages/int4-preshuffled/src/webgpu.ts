/** @file WebGPU kernels of this package's ops. */

import type { Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  byExperts,
  int4Dequantize,
  int4LinearVariants,
  int4Programs,
  packCodes,
  type Int4Product,
  type Int4Programs,
  type Int4Stored,
  type Int4TuningOptions,
  unpackCodes,
} from '@ao/quantized-linear/webgpu'
import { BAND_ROWS, bandsOf, LANE_CODES, WORD_CODES } from './layout.ts'
import {
  dequantizeInt4Preshuffled,
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  type Int4PreshuffledParts,
} from './linear-ops.ts'
import { packInt4Preshuffled, unpackedShape, unpackInt4Preshuffled } from './shuffle.ts'
import { float8ScalesKernel } from './webgpu/float8-scales.ts'
import layout from './webgpu/layout.wgsl'

const programs: Int4Programs = /* @__PURE__ */ int4Programs({
  name: 'int4_preshuffled',
  order: 'neighbours',
  numbers: ['scale', 'zero', 'rowScale'],
  wgsl: layout,
})

/** What shared kernels need to know of a weight (n, K). */
function stored([codes, scale, zero, rowScale]: Int4PreshuffledParts, n: number): Int4Stored {
  const words = codes.shape[1] as number
  const k = WORD_CODES * words
  const groupSize = k / (scale.shape[1] as number)
  const parts = { scale, zero, rowScale, codes }
  return { n, k, groupSize, parts, rowBytes: 4 * words, isSymmetric: !zero }
}

function productOf(
  x: Tensor,
  weight: Int4PreshuffledParts,
  n: number,
  bias: Tensor | undefined,
): Int4Product {
  return { x, weight: stored(weight, n), bias }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4PreshuffledKernels(options?: Int4TuningOptions): KernelSet {
  return [
    kernel(int4PreshuffledLinear, int4LinearVariants(programs, productOf, options)),
    kernel(
      int4PreshuffledFloat8Linear,
      int4LinearVariants(
        programs,
        (...args) => ({ ...productOf(...args), inputDtype: 'float8_e4m3fn' }),
        options,
      ),
    ),
    kernel(dequantizeInt4Preshuffled, [
      {
        name: 'dequantize',
        when: 'always',
        run: (gpu, weight, n, dtype) =>
          byExperts(gpu, weight, weight[0].ndim === 3, (expert) =>
            int4Dequantize(gpu, programs, stored(expert, n), dtype),
          ),
      },
    ]),
    kernel(packInt4Preshuffled, [
      {
        name: 'pack',
        when: 'K is a multiple of 32',
        fits: (_gpu, codes) => (codes.shape.at(-1) as number) % LANE_CODES === 0,
        run: (gpu, codes) => {
          const [n, k] = codes.shape.slice(-2) as [number, number]
          const rows = bandsOf(n) * BAND_ROWS
          const shape = [...codes.shape.slice(0, -2), rows, k / WORD_CODES]
          return packCodes(gpu, programs, codes, shape, { n, k, rows })
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
          return unpackCodes(gpu, programs, words, shape, { n, k: shape.at(-1) as number, rows })
        },
      },
    ]),
    float8ScalesKernel,
  ]
}

/** Kernels of {@link Int4PreshuffledTensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4PreshuffledKernels()
