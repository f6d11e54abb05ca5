/**
 * @file The parts of int4 formats that keep rows in order, and what their products check.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K. Codes
 * of neighbours along K share a byte or a word of `qdata`, called its unit here: two codes for each byte.
 * `scale` and `zeroPoint` have one element a group and lie transposed, (K / g, N). So `scale.shape` is
 * always `shape / blockSize` with the last two sizes swapped, also in views: where the weight is
 * transposed to (K, N), blockSize is [g, 1] and units run along the first dimension.
 */

import {
  bmmByExperts,
  cast,
  checkBias,
  checkShape,
  DTypeError,
  isFloatDType,
  itemSize,
  mul,
  transpose,
  UnsupportedOpError,
  ValueError,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'

/** The inner tensors and attributes of a weight in groups. */
export interface Int4GroupedFields {
  /** Codes, in the shape of the weight with the packed size divided by the codes of a unit. */
  readonly qdata: DenseTensor
  /** In the weight's dtype: one element a group, transposed. */
  readonly scale: DenseTensor
  /** As `scale`. */
  readonly zeroPoint: DenseTensor
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  /** Shape of the weight that this stands for. */
  readonly shape: readonly number[]
  /** What the input is multiplied by first, (K): of AWQ and SmoothQuant. */
  readonly actPreScale?: DenseTensor | undefined
}

/** Codes that share an element of `qdata`: 2 in an int8, 8 in an int32. */
export function codesPerUnit(qdata: DenseTensor): number {
  return 2 * itemSize(qdata.dtype)
}

/** The dimension along which groups run, and codes share units: K. */
export function packedDim(blockSize: readonly number[]): number {
  return blockSize.findIndex((size) => size !== 1)
}

/** Block size of groups along the last dimension: ones, and `groupSize`. */
export function groupBlockSize(ndim: number, groupSize: number): number[] {
  return new Array<number>(ndim).fill(1).with(-1, groupSize)
}

/**
 * Dtype of a weight: that of its scale.
 *
 * @throws {@link DTypeError} for a scale that is not floating
 */
export function dtypeOfScale(scale: DenseTensor, packageName: string): FloatDType {
  if (isFloatDType(scale.dtype)) return scale.dtype
  throw new DTypeError({
    package: packageName,
    expected: 'a scale of float32, float16 or bfloat16',
    got: scale.dtype,
  })
}

/** @throws {@link ValueError} unless `blockSize` is ones and one group of whole units */
export function checkGroups(
  shape: readonly number[],
  blockSize: readonly number[],
  unit: number,
  packageName: string,
): void {
  const packed = packedDim(blockSize)
  const isOneGroup = blockSize.every((size, d) => d === packed || size === 1)
  const isWhole = (blockSize[packed] ?? 0) % unit === 0
  if (blockSize.length === shape.length && packed >= 0 && isOneGroup && isWhole) return
  throw new ValueError({
    package: packageName,
    expected: `a block size of ones and one group size, a multiple of ${unit}, for shape [${shape.join(', ')}]`,
    got: `[${blockSize.join(', ')}]`,
  })
}

/** @throws {@link ShapeError} or {@link ValueError} unless the shapes of the parts fit each other */
export function checkGroupedShapes(fields: Int4GroupedFields, packageName: string): void {
  const { qdata, scale, zeroPoint, blockSize, shape } = fields
  const unit = codesPerUnit(qdata)
  checkGroups(shape, blockSize, unit, packageName)
  const packed = packedDim(blockSize)
  const units = shape.with(packed, (shape[packed] as number) / unit)
  checkShape('qdata', qdata, units, packageName)
  const grid = shape.map((size, d) => size / (blockSize[d] as number))
  checkShape('scale', scale, swapLastTwo(grid), packageName)
  checkShape('zeroPoint', zeroPoint, scale.shape, packageName)
}

/** From the order of groups to that of scales. */
function swapLastTwo(list: readonly number[]): number[] {
  const [b, a] = list.slice(-2)
  return a === undefined || b === undefined ? [...list] : [...list.slice(0, -2), a, b]
}

/**
 * The input of a product with `weight`, multiplied by its pre-scale where it has one.
 *
 * @throws {@link UnsupportedOpError} for a weight that is not (N, K) with its groups along K
 * @throws {@link ShapeError} for a bias of another size than N
 */
export function groupedLinearInput(
  x: Tensor,
  weight: Int4GroupedFields,
  bias: Tensor | undefined,
  packageName: string,
): Tensor {
  const { shape, blockSize, actPreScale } = weight
  if (shape.length !== 2 || packedDim(blockSize) !== 1) throw notStored(weight, packageName)
  checkBias(bias, shape[0] as number, packageName)
  return actPreScale ? cast(mul(x, actPreScale), x.dtype) : x
}

/**
 * The product with each expert's weight: `x` (E, M, K) -> (E, M, N).
 *
 * The sum runs along the groups. A stored weight (E, N, K) gives `x[e] @ weight[e]^T`, as torchao's `bmm`
 * of quantized experts does, and its transpose (E, K, N) gives the same: `x[e] @ weight[e]`.
 *
 * @param multiply - the format's linear
 * @throws {@link UnsupportedOpError} for a weight that is neither; {@link ShapeError} unless `x` fits it
 */
export function groupedBmm<Weight extends Tensor & Int4GroupedFields>(
  x: Tensor,
  weight: Weight,
  multiply: (x: Tensor, expert: Weight) => Tensor,
  packageName: string,
): Tensor {
  const packed = packedDim(weight.blockSize)
  if (weight.ndim !== 3 || packed === 0) throw notStored(weight, packageName)
  const experts = packed === 2 ? weight : (transpose(weight, 1, 2) as Weight)
  return bmmByExperts(x, experts, multiply, packageName)
}

function notStored(
  { shape, blockSize }: Int4GroupedFields,
  packageName: string,
): UnsupportedOpError {
  return new UnsupportedOpError({
    package: packageName,
    expected: 'a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm',
    got: `shape [${shape.join(', ')}] with blocks of [${blockSize.join(', ')}]`,
    cure: 'Transpose it back, or call dequantize().',
  })
}
