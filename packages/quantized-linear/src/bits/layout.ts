/**
 * @file What a weight of codes of 1 to 8 bits is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K, each with a
 * scale and a zero point. `scale` and `zeroPoint` are (N, K / g):
 *
 *     value = (code - zeroPoint) * scale
 *
 * On the CPU, a code has a byte: `qdata` is int8, in the shape of the weight. On a device, n-bit codes take n
 * bits: `qdata` is int32 (N, K n / 32), rows of words, codes from the lowest bit of a word on, also across words.
 * With n = 3:
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
  takes,
  type DenseTensor,
  type FloatDType,
} from '@ao/base-tensor'
import { packedDim, type BlockwiseFields } from '../blockwise.ts'

/** The parts of a weight of codes of a few bits. */
export interface BitsFields extends BlockwiseFields {
  /** Codes: int8 in the shape of the weight, or int32 words of them. */
  readonly qdata: DenseTensor
  /** One element a group, floating. */
  readonly scale: DenseTensor
  /** As `scale`, of int8 or floating. */
  readonly zeroPoint: DenseTensor
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** Dtype of the weight that this stands for. */
  readonly dtype: FloatDType
}

type Codes = Pick<BitsFields, 'qdata' | 'blockSize'>

/** Whether codes lie in words, without gaps. */
export function isPackedBits({ qdata }: Pick<BitsFields, 'qdata'>): boolean {
  return qdata.dtype === 'int32'
}

/** Whether (N, K / g) lies in memory as (K / g, N) does, N being a multiple of 4. */
export function liesAlongN({ shape, strides }: Pick<DenseTensor, 'shape' | 'strides'>): boolean {
  const [n = 0] = shape
  return shape.length === 2 && n % 4 === 0 && strides[0] === 1 && strides[1] === n
}

/** So many codes of `bits` bits lie in so many elements of `qdata`. */
export function bitsPacking(
  fields: Pick<BitsFields, 'qdata'>,
  bits: number,
): readonly [codes: number, elements: number] {
  takes('o<qdata:t>n', fields, bits)
  if (!isPackedBits(fields)) return [1, 1]
  return 32 % bits === 0 ? [32 / bits, 1] : [32, bits]
}

/** The shape of the weight. */
export function shapeOfBits(fields: Codes, bits: number): readonly number[] {
  const { qdata, blockSize } = fields
  const [codes, elements] = bitsPacking(fields, bits)
  if (codes === 1) return qdata.shape
  const at = packedDim(blockSize)
  return qdata.shape.with(at, ((qdata.shape[at] as number) * codes) / elements)
}

/** Whether codes that are bytes can lie in words: of fewer than 8 bits, rows of whole words. */
export function fillsWords({ qdata, blockSize }: Codes, bits: number): boolean {
  const [k, group] = [qdata.shape.at(-1) as number, blockSize.at(-1) as number]
  const isAlongK = group > 1 && packedDim(blockSize) === blockSize.length - 1
  return bits < 8 && isAlongK && (k * bits) % 32 === 0
}

/**
 * Checks the parts of a weight.
 *
 * @throws {@link ShapeError} or {@link DTypeError} unless they fit each other
 */
export function checkBits(fields: BitsFields, bits: number, packageName: string): void {
  const { qdata, scale, zeroPoint, blockSize } = fields
  checkDType('qdata', qdata, ['int8', 'int32'], packageName)
  checkDType('scale', scale, FLOAT_DTYPES, packageName)
  checkDType('zeroPoint', zeroPoint, ['int8', ...FLOAT_DTYPES], packageName)
  const shape = shapeOfBits(fields, bits)
  const grid = shape.map((size, d) => size / (blockSize[d] as number))
  const divides = grid.every((blocks) => Number.isInteger(blocks) && blocks >= 0)
  if (blockSize.length !== qdata.ndim || !divides) {
    const expected = `a block size that divides the shape [${shape.join(', ')}]`
    throw errorsOf(packageName)(ShapeError, expected, blockSize)
  }
  checkShape('scale', scale, grid, packageName)
  checkShape('zeroPoint', zeroPoint, grid, packageName)
}
