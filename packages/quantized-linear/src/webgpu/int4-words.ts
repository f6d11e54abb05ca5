/** @file Codes of four bits in words, and zero points, on the GPU: kernels of ops that int4 formats share. */

import { numelOf } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import { codesShape, packInt4Words, unpackInt4Words, wordsShape } from '../int4/words.ts'
import { moveZeroPoint, valueOfMiddleCode } from '../int4/zero-points.ts'
import { elementwise } from './elementwise.ts'
import { int4Decoder, SIGNED_CODES, type Int4Decoder } from './int4.ts'
import { packCodes, unpackCodes, type CodeRows } from './pack.ts'

const decoder: Int4Decoder = /* @__PURE__ */ int4Decoder({
  name: 'int4_words',
  order: 'sequential',
  parts: [],
  wgsl: '',
})

/** Codes of this shape: rows that are not whole chunks of 32 are one long row. */
function codeRows(shape: readonly number[], isSigned: boolean): CodeRows {
  const k = shape.at(-1) as number
  const count = numelOf(shape)
  const defines = isSigned ? SIGNED_CODES : {}
  return k % 32 === 0 ? { n: count / k, k, defines } : { n: 1, k: count, defines }
}

/** Kernels of `packInt4Words` and `unpackInt4Words`. */
export const int4WordKernels: KernelSet = /* @__PURE__ */ [
  kernel(packInt4Words, [
    {
      name: 'pack',
      when: 'always',
      run: (gpu, codes, isSigned) =>
        packCodes(gpu, decoder, codes, wordsShape(codes), codeRows(codes.shape, isSigned)),
    },
  ]),
  kernel(unpackInt4Words, [
    {
      name: 'unpack',
      when: 'always',
      run: (gpu, words, isSigned) => {
        const shape = codesShape(words)
        return unpackCodes(gpu, decoder, words, shape, codeRows(shape, isSigned))
      },
    },
  ]),
]

/** Kernels of `moveZeroPoint` and `valueOfMiddleCode`. */
export const int4ZeroPointKernels: KernelSet = /* @__PURE__ */ [
  kernel(moveZeroPoint, [
    {
      name: 'elementwise',
      when: 'always',
      run: (gpu, zeroPoint, codes) =>
        elementwise(gpu, `a + f32(${codes})`, zeroPoint, undefined, zeroPoint.dtype),
    },
  ]),
  kernel(valueOfMiddleCode, [
    {
      name: 'elementwise',
      when: 'always',
      run: (gpu, zeroPoint, scale) =>
        elementwise(gpu, '(8.0 - a) * b', zeroPoint, scale, scale.dtype),
    },
  ]),
]
