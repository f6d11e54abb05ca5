/** @file WebGPU kernels of this package's ops. */

import { numelOf, type Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import {
  byExperts,
  int4Dequantize,
  int4LinearVariants,
  int4Programs,
  mapNumbers,
  packCodes,
  type CodeRows,
  type Int4Product,
  type Int4Programs,
  type Int4Stored,
  type Int4TuningOptions,
  unpackCodes,
} from '@ao/quantized-linear/webgpu'
import { CODES_PER_WORD, variantOf, type Int4PlainInt32Variant } from './layout.ts'
import { dequantizeInt4PlainInt32, int4PlainInt32Linear } from './linear-ops.ts'
import {
  moveZeroPoint,
  packedShape,
  packInt4PlainInt32,
  unpackedShape,
  unpackInt4PlainInt32,
} from './pack.ts'
import { quantizeToCodes, quantizeToWords, type Int4PlainInt32Weight } from './quantize.ts'
import layout from './webgpu/layout.wgsl'

const programs: Int4Programs = /* @__PURE__ */ int4Programs({
  name: 'int4_plain_int32',
  order: 'sequential',
  numbers: ['scale', 'zero'],
  wgsl: layout,
})

/** What shared kernels need to know of a weight (N, K). */
function stored([codes, scale, zero]: Int4PlainInt32Weight): Int4Stored {
  const [n, words] = codes.shape as [number, number]
  const k = CODES_PER_WORD * words
  const groupSize = k / (scale.shape[0] as number)
  const isSigned = variantOf(zero) === 'npu'
  return { n, k, groupSize, parts: { scale, zero, codes }, rowBytes: 4 * words, isSigned }
}

function productOf(x: Tensor, weight: Int4PlainInt32Weight, bias: Tensor | undefined): Int4Product {
  return { x, weight: stored(weight), bias }
}

/** Codes of this shape: rows that are not whole pieces of 32 are one long row. */
function codeRows(shape: readonly number[], variant: Int4PlainInt32Variant): CodeRows {
  const k = shape.at(-1) as number
  const count = numelOf(shape)
  const isSigned = variant === 'npu'
  return k % 32 === 0 ? { n: count / k, k, isSigned } : { n: 1, k: count, isSigned }
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function int4PlainInt32Kernels(options?: Int4TuningOptions): KernelSet {
  return [
    kernel(int4PlainInt32Linear, int4LinearVariants(programs, productOf, options)),
    kernel(dequantizeInt4PlainInt32, [
      {
        name: 'dequantize',
        when: 'always',
        run: (gpu, weight, dtype) =>
          byExperts(gpu, weight, weight[0].ndim === 3, (expert) =>
            int4Dequantize(gpu, programs, stored(expert), dtype),
          ),
      },
    ]),
    kernel(packInt4PlainInt32, [
      {
        name: 'pack',
        when: 'always',
        run: (gpu, codes, variant) =>
          packCodes(gpu, programs, codes, packedShape(codes), codeRows(codes.shape, variant)),
      },
    ]),
    kernel(unpackInt4PlainInt32, [
      {
        name: 'unpack',
        when: 'always',
        run: (gpu, words, variant) => {
          const shape = unpackedShape(words)
          return unpackCodes(gpu, programs, words, shape, codeRows(shape, variant))
        },
      },
    ]),
    kernel(quantizeToWords, [
      {
        name: 'quantizeAffine, then pack',
        when: 'always',
        run: (gpu, weight, scale, zeroPoint) =>
          gpu.scope(() => {
            const codes = quantizeToCodes(weight, scale, zeroPoint)
            // Signed codes stay as they are: packing takes their low bits.
            return packCodes(gpu, programs, codes, packedShape(codes), codeRows(codes.shape, 'xpu'))
          }),
      },
    ]),
    kernel(moveZeroPoint, [
      {
        name: 'map',
        when: 'always',
        run: (gpu, zeroPoint, codes) =>
          mapNumbers(gpu, `a + f32(${codes})`, zeroPoint, undefined, zeroPoint.dtype),
      },
    ]),
  ]
}

/** Kernels of {@link Int4PlainInt32Tensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4PlainInt32Kernels()
