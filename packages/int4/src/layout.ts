/**
 * @file What a plain int4 weight is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K. Two
 * codes -8..7 share a byte, the even one in the low four bits:
 *
 *     qdata (N, K / 2)                bit 7 6 5 4 | 3 2 1 0
 *     byte j of a row                 code 2j + 1 | code 2j
 *
 *     value = code * scale + zeroPoint
 *
 * `scale` and `zeroPoint` have one element a group and lie transposed, (K / g, N): neighbours in memory
 * belong to neighbouring rows, which kernels compute side by side. So `scale.shape` is always
 * `shape / blockSize` with the last two sizes swapped, also in views: where the weight is transposed to
 * (K, N), blockSize is [g, 1] and bytes run along the first dimension.
 */

import {
  DTypeError,
  isFloatDType,
  ShapeError,
  ValueError,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
} from '@ao/base-tensor'

export const PACKAGE = '@ao/int4'

/** What an input of `linear` is quantized to first: bfloat16 stands for not at all. */
export type Int4ActivationDType = 'bfloat16' | 'float8_e4m3fn'

/** The inner tensors and attributes of an {@link Int4Tensor}. */
export interface Int4Fields {
  /** int8: two codes a byte, in the shape of the weight with the packed size halved. */
  readonly qdata: DenseTensor
  /** In the weight's dtype: one element a group, see above. */
  readonly scale: DenseTensor
  /** The value of code 0, as `scale`; zeros for weights that are quantized around zero. */
  readonly zeroPoint: DenseTensor
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** Shape of the weight that this stands for. */
  readonly shape: readonly number[]
  /** What the input is multiplied by first, (K): of AWQ and SmoothQuant. */
  readonly actPreScale?: DenseTensor | undefined
  /** bfloat16 unless given. */
  readonly activationDtype?: Int4ActivationDType | undefined
}

/** Dtype of the weight: that of its scale. */
export function weightDType({ scale }: Pick<Int4Fields, 'scale'>): FloatDType {
  if (isFloatDType(scale.dtype)) return scale.dtype
  throw new DTypeError({
    package: PACKAGE,
    expected: 'a scale of float32, float16 or bfloat16',
    got: scale.dtype,
  })
}

/** The dimension along which groups run, and two codes share a byte: K. */
export function packedDim(blockSize: readonly number[]): number {
  return blockSize.findIndex((size) => size !== 1)
}

/** `list` with its last two entries swapped: from the order of groups to that of scales, and back. */
export function swapLastTwo<T>(list: readonly T[]): T[] {
  return list.length < 2 ? [...list] : [...list.slice(0, -2), list.at(-1) as T, list.at(-2) as T]
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int4Fields): void {
  const { qdata, scale, zeroPoint, blockSize, shape } = fields
  checkDType('qdata', qdata, 'int8')
  checkDType('zeroPoint', zeroPoint, weightDType(fields))
  const packed = packedDim(blockSize)
  const oneGroupSize = blockSize.every((size, d) => d === packed || size === 1)
  if (blockSize.length !== shape.length || packed < 0 || !oneGroupSize) {
    throw new ValueError({
      package: PACKAGE,
      expected: `a block size of ones and one group size, for shape [${shape.join(', ')}]`,
      got: `[${blockSize.join(', ')}]`,
    })
  }
  checkShape('qdata', qdata, shape.with(packed, (shape[packed] as number) / 2))
  const grid = shape.map((size, d) => size / (blockSize[d] as number))
  checkShape('scale', scale, swapLastTwo(grid))
  checkShape('zeroPoint', zeroPoint, scale.shape)
}

function checkDType(name: string, tensor: DenseTensor, dtype: StoredDType): void {
  if (tensor.dtype === dtype) return
  throw new DTypeError({ package: PACKAGE, expected: `${name} of ${dtype}`, got: tensor.dtype })
}

function checkShape(name: string, tensor: DenseTensor, shape: readonly number[]): void {
  if (tensor.shape.join() === shape.join()) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `${name} of shape [${shape.join(', ')}]`,
    got: `[${tensor.shape.join(', ')}]`,
  })
}
