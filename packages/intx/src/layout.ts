/**
 * @file What a weight of 1 to 8 bits is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K, each with a
 * scale and a zero point. `scale` and `zeroPoint` are (N, K / g):
 *
 *     value = (code - zeroPoint) * scale
 *
 * In files, and on the CPU, a code has a byte: `qdata` is int8, in the shape of the weight. On a device, n-bit
 * codes take n bits: `qdata` is int32 (N, K n / 32), rows of words, codes in two's complement from the lowest bit
 * of a word on, also across words. With n = 3:
 *
 *     word 0    bit 31 30 | 29 28 27 | ... | 5 4 3 | 2 1 0
 *               code 10   |    9     | ... |   1   |   0       (its third bit is the lowest of word 1)
 *
 * Codes of 8 bits, and rows that do not fill words, stay bytes there.
 */

import {
  checkDType,
  checkShape,
  errorsOf,
  FLOAT_DTYPES,
  ShapeError,
  ValueError,
  type DenseTensor,
  type ErrorMaker,
  type FloatDType,
} from '@ao/base-tensor'
import {
  blockwiseViews,
  packedDim,
  type BlockwiseFields,
  type BlockwiseViews,
} from '@ao/quantized-linear'
import type { IntxActivation } from './activations.ts'

export const PACKAGE = '@ao/intx'

export const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

/** Which codes a weight has. */
export type IntxDType = `int${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`

/** The inner tensors and attributes of an {@link IntxUnpackedToInt8Tensor}. */
export interface IntxFields extends BlockwiseFields {
  /** Codes: int8 in the shape of the weight, or int32 words of them. */
  readonly qdata: DenseTensor
  /** One element a group, floating. */
  readonly scale: DenseTensor
  /** As `scale`, of int8 or floating; zeros for weights that are quantized around zero. */
  readonly zeroPoint: DenseTensor
  /** Which codes there are: int4 has -8..7. */
  readonly targetDtype: IntxDType
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** Dtype of the weight that this stands for. */
  readonly dtype: FloatDType
  /** How inputs of `linear` are quantized; undefined where they are not. */
  readonly activationQuantization?: IntxActivation | undefined
}

/** Whether `dtype` is int1 to int8. */
export function isIntxDType(dtype: string): dtype is IntxDType {
  return /^int[1-8]$/.test(dtype)
}

/** Bits of a code. */
export function bitsOf(dtype: IntxDType): number {
  return Number(dtype.slice(3))
}

/** Whether codes lie in words, without gaps. */
export function isPacked({ qdata }: Pick<IntxFields, 'qdata'>): boolean {
  return qdata.dtype === 'int32'
}

/** So many codes lie in so many elements of `qdata`. */
function packing(fields: IntxFields): readonly [codes: number, elements: number] {
  if (!isPacked(fields)) return [1, 1]
  const bits = bitsOf(fields.targetDtype)
  return 32 % bits === 0 ? [32 / bits, 1] : [32, bits]
}

/** The shape of the weight. */
export function shapeOfIntx(fields: IntxFields): readonly number[] {
  const { qdata, blockSize } = fields
  const [codes, elements] = packing(fields)
  if (codes === 1) return qdata.shape
  const at = packedDim(blockSize)
  return qdata.shape.with(at, ((qdata.shape[at] as number) * codes) / elements)
}

/** Whether the codes of a weight can lie in words: of fewer than 8 bits, rows of whole words. */
export function fillsWords({ qdata, blockSize, targetDtype }: IntxFields): boolean {
  const [k, group] = [qdata.shape.at(-1) as number, blockSize.at(-1) as number]
  const isAlongK = group > 1 && packedDim(blockSize) === blockSize.length - 1
  return targetDtype !== 'int8' && isAlongK && (k * bitsOf(targetDtype)) % 32 === 0
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: IntxFields): void {
  const { qdata, scale, zeroPoint, blockSize, targetDtype } = fields
  if (!isIntxDType(targetDtype))
    throw fail(ValueError, 'a targetDtype of int1 to int8', targetDtype)
  checkDType('qdata', qdata, ['int8', 'int32'], PACKAGE)
  checkDType('scale', scale, FLOAT_DTYPES, PACKAGE)
  checkDType('zeroPoint', zeroPoint, ['int8', ...FLOAT_DTYPES], PACKAGE)
  const shape = shapeOfIntx(fields)
  const grid = shape.map((size, d) => size / (blockSize[d] as number))
  const divides = grid.every((blocks) => Number.isInteger(blocks) && blocks >= 0)
  if (blockSize.length !== qdata.ndim || !divides) {
    throw fail(ShapeError, `a block size that divides the shape [${shape.join(', ')}]`, blockSize)
  }
  checkShape('scale', scale, grid, PACKAGE)
  checkShape('zeroPoint', zeroPoint, grid, PACKAGE)
}

/** Views of these fields. */
export const intxViews: BlockwiseViews<IntxFields> = /* @__PURE__ */ blockwiseViews<IntxFields>({
  packageName: PACKAGE,
  packing,
  attributesOf: ({ dtype, targetDtype, activationQuantization, qdata }) => ({
    ...{ dtype, targetDtype, activationQuantization, codes: qdata.dtype },
  }),
})
