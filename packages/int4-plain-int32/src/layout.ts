/**
 * @file What an int4 weight in int32 words is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K. Eight
 * codes share a word, the first in the lowest four bits:
 *
 *     qdata (N, K / 8)       bits 31-28   27-24   23-20   19-16   15-12   11-8    7-4     3-0
 *     word c of a row        code 8c + 7  8c + 6  8c + 5  8c + 4  8c + 3  8c + 2  8c + 1  8c
 *
 *     value = (code - zeroPoint) * scale
 *
 * torchao writes two variants, which the dtype of `zeroPoint` tells apart:
 *
 *     on an XPU   codes 0..15    zeroPoint int8, 0..15
 *     on an NPU   codes -8..7    zeroPoint of the weight's dtype, whole numbers -8..7
 *
 * `scale` and `zeroPoint` have one element a group and lie transposed, (K / g, N): neighbours in memory
 * belong to neighbouring rows, which kernels compute side by side. So `scale.shape` is always
 * `shape / blockSize` with the last two sizes swapped, also in views: where the weight is transposed to
 * (K, N), blockSize is [g, 1] and words run along the first dimension.
 */

import {
  DTypeError,
  isFloatDType,
  ShapeError,
  ValueError,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'

export const PACKAGE = '@ao/int4-plain-int32'

/** Codes in an int32. A group is whole words, so its size is a multiple of this. */
export const CODES_PER_WORD = 8

/** The machine whose torchao writes codes so: `xpu` from 0 to 15, `npu` from -8 to 7. */
export type Int4PlainInt32Variant = 'xpu' | 'npu'

/** The inner tensors and attributes of an {@link Int4PlainInt32Tensor}. */
export interface Int4PlainInt32Fields {
  /** int32: eight codes a word, in the shape of the weight with the packed size divided by 8. */
  readonly qdata: DenseTensor
  /** In the weight's dtype: one element a group, see above. */
  readonly scale: DenseTensor
  /** The code that stands for 0, as `scale`; its dtype tells the variant. */
  readonly zeroPoint: DenseTensor
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** Shape of the weight that this stands for. */
  readonly shape: readonly number[]
  /** What the input is multiplied by first, (K): of AWQ and SmoothQuant. */
  readonly actPreScale?: DenseTensor | undefined
}

/** Dtype of the weight: that of its scale. */
export function weightDType({ scale }: Pick<Int4PlainInt32Fields, 'scale'>): FloatDType {
  if (isFloatDType(scale.dtype)) return scale.dtype
  throw new DTypeError({
    package: PACKAGE,
    expected: 'a scale of float32, float16 or bfloat16',
    got: scale.dtype,
  })
}

/** Which codes a weight has, by its zero points. */
export function variantOf(zeroPoint: Tensor): Int4PlainInt32Variant {
  return zeroPoint.dtype === 'int8' ? 'xpu' : 'npu'
}

/** The dimension along which groups run, and eight codes share a word: K. */
export function packedDim(blockSize: readonly number[]): number {
  return blockSize.findIndex((size) => size !== 1)
}

/** `list` with its last two entries swapped: from the order of groups to that of scales, and back. */
export function swapLastTwo<T>(list: readonly T[]): T[] {
  return list.length < 2 ? [...list] : [...list.slice(0, -2), list.at(-1) as T, list.at(-2) as T]
}

/** @throws {@link ValueError} unless `blockSize` is ones and one group of whole words */
export function checkBlockSize(shape: readonly number[], blockSize: readonly number[]): void {
  const packed = packedDim(blockSize)
  const isOneGroup = blockSize.every((size, d) => d === packed || size === 1)
  const isWhole = (blockSize[packed] ?? 0) % CODES_PER_WORD === 0
  if (blockSize.length === shape.length && packed >= 0 && isOneGroup && isWhole) return
  throw new ValueError({
    package: PACKAGE,
    expected: `a block size of ones and one group size, a multiple of ${CODES_PER_WORD}, for shape [${shape.join(', ')}]`,
    got: `[${blockSize.join(', ')}]`,
  })
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int4PlainInt32Fields): void {
  const { qdata, scale, zeroPoint, blockSize, shape } = fields
  checkDType('qdata', qdata, ['int32'])
  checkDType('zeroPoint', zeroPoint, ['int8', weightDType(fields)])
  checkBlockSize(shape, blockSize)
  const packed = packedDim(blockSize)
  checkShape('qdata', qdata, shape.with(packed, (shape[packed] as number) / CODES_PER_WORD))
  const grid = shape.map((size, d) => size / (blockSize[d] as number))
  checkShape('scale', scale, swapLastTwo(grid))
  checkShape('zeroPoint', zeroPoint, scale.shape)
}

function checkDType(name: string, tensor: DenseTensor, dtypes: readonly string[]): void {
  if (dtypes.includes(tensor.dtype)) return
  throw new DTypeError({
    package: PACKAGE,
    expected: `${name} of ${dtypes.join(' or ')}`,
    got: tensor.dtype,
  })
}

function checkShape(name: string, tensor: DenseTensor, shape: readonly number[]): void {
  if (tensor.shape.join() === shape.join()) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `${name} of shape [${shape.join(', ')}]`,
    got: `[${tensor.shape.join(', ')}]`,
  })
}
