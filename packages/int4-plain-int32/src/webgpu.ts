/** @file WebGPU kernels of this package's ops. */

import { numelOf } from '@ao/base-tensor'
import { kernel, type Defines, type KernelSet } from '@ao/kernels-webgpu'
import {
  elementwise,
  int4Decoder,
  linearPrograms,
  packCodes,
  SIGNED_CODES,
  unpackCodes,
  weightKernels,
  type CodeRows,
  type Int4Decoder,
  type LinearPrograms,
  type LinearTuningOptions,
  type StoredWeight,
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
import qparams from './webgpu/qparams.wgsl'

const decoder: Int4Decoder = /* @__PURE__ */ int4Decoder({
  name: 'int4_plain_int32',
  order: 'sequential',
  parts: ['scale', 'zero'],
  wgsl: qparams,
})
const programs: LinearPrograms = /* @__PURE__ */ linearPrograms(decoder)

function stored([codes, scale, zero]: Int4PlainInt32Weight): StoredWeight {
  const [n, words] = codes.shape as [number, number]
  const k = CODES_PER_WORD * words
  const groupSize = k / (scale.shape[0] as number)
  const defines = definesOf(variantOf(zero))
  return { n, k, groupSize, parts: { scale, zero, codes }, rowBytes: 4 * words, defines }
}

/** An NPU's codes are signed. */
const definesOf = (variant: Int4PlainInt32Variant): Defines =>
  variant === 'npu' ? SIGNED_CODES : {}

/** Codes of this shape: rows that are not whole pieces of 32 are one long row. */
function codeRows(shape: readonly number[], variant: Int4PlainInt32Variant): CodeRows {
  const k = shape.at(-1) as number
  const count = numelOf(shape)
  const defines = definesOf(variant)
  return k % 32 === 0 ? { n: count / k, k, defines } : { n: 1, k: count, defines }
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
  return [
    ...weightKernels(programs, options, tuning),
    kernel(packInt4PlainInt32, [
      {
        name: 'pack',
        when: 'always',
        run: (gpu, codes, variant) =>
          packCodes(gpu, decoder, codes, packedShape(codes), codeRows(codes.shape, variant)),
      },
    ]),
    kernel(unpackInt4PlainInt32, [
      {
        name: 'unpack',
        when: 'always',
        run: (gpu, words, variant) => {
          const shape = unpackedShape(words)
          return unpackCodes(gpu, decoder, words, shape, codeRows(shape, variant))
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
            return packCodes(gpu, decoder, codes, packedShape(codes), codeRows(codes.shape, 'xpu'))
          }),
      },
    ]),
    kernel(moveZeroPoint, [
      {
        name: 'elementwise',
        when: 'always',
        run: (gpu, zeroPoint, codes) =>
          elementwise(gpu, `a + f32(${codes})`, zeroPoint, undefined, zeroPoint.dtype),
      },
    ]),
  ]
}

/** Kernels of {@link Int4PlainInt32Tensor}'s ops, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int4PlainInt32Kernels()
