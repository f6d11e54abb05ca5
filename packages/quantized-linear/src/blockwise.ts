/**
 * @file Weights in blocks that share a scale, which most formats are.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into blocks of `blockSize` elements, each
 * with one scale and one zero point. Codes of neighbours along K may share an element of `qdata`: two in
 * an int8, eight in an int32. Scales have the order of the weight, `scale.shape = shape / blockSize`, or
 * lie with their last two dimensions swapped, (K / g, N). Every view keeps these laws, so the block size
 * tells how scales belong to codes whatever was sliced or transposed.
 */

import {
  checkDType,
  checkPreScale,
  checkShape,
  errorsOf,
  FLOAT_DTYPES,
  integerCodec,
  listCodec,
  ShapeError,
  ValueError,
  type DenseTensor,
  type FloatDType,
  type JsonCodec,
  takes,
} from '@ao/base-tensor'
import { fail } from './errors.ts'

/** The inner tensors and attributes of a weight in blocks. */
export interface BlockwiseFields {
  /** Codes, in the shape of the weight with the packed size divided by the codes of an element. */
  readonly qdata: DenseTensor
  /** One element a block. */
  readonly scale: DenseTensor
  /** As `scale`; undefined where all are zero. */
  readonly zeroPoint?: DenseTensor | undefined
  /** Elements along each dimension that share a scale. */
  readonly blockSize: readonly number[]
  /** Shape of the weight that this stands for; that of `qdata` unless given. */
  readonly shape?: readonly number[]
  /** What the input is multiplied by first, (K): of AWQ and SmoothQuant. */
  readonly actPreScale?: DenseTensor | undefined
}

/** How a format lays out {@link BlockwiseFields}. */
export interface BlockwiseLayout<Fields extends BlockwiseFields> {
  /** For errors. */
  readonly packageName: string
  /** Codes along K that share an element of `qdata`; 1 unless given. */
  readonly codesPerElement?: number
  /** In place of that, for weights that differ in it: so many codes along K lie in so many elements. */
  readonly packing?: (fields: Fields) => readonly [codes: number, elements: number]
  /** Whether scales and zero points lie as (K / g, N). */
  readonly swapsScales?: boolean
  /** What weights that `cat` joins have in common, besides block sizes and zero points. */
  readonly attributesOf: (fields: Fields) => object
  /** Whether a weight has scales of activations, besides `actPreScale`, that `cat` cannot join. */
  readonly hasActivationScales?: (fields: Fields) => boolean
}

/** How files hold the attributes that most weights in groups have. */
export const GROUP_CODECS: Readonly<Record<'blockSize' | 'shape', JsonCodec<unknown>>> = {
  blockSize: /* @__PURE__ */ listCodec(integerCodec),
  shape: /* @__PURE__ */ listCodec(integerCodec),
}

/** The shape of the weight. */
export function shapeOf(fields: BlockwiseFields): readonly number[] {
  takes('o<qdata:t>', fields)
  return fields.shape ?? fields.qdata.shape
}

/**
 * The dimension that a product with a weight sums over: K of (N, K), and of its transpose (K, N).
 *
 * @remarks Rows and groups run along K, so the block size tells. Where it does not (one scale for all),
 * the order in memory does.
 */
export function inFeaturesDim(fields: Pick<BlockwiseFields, 'qdata' | 'blockSize'>): number {
  takes('o<qdata:t blockSize:s>', fields)
  const { qdata, blockSize } = fields
  const last = blockSize.length - 1
  const long = blockSize.flatMap((size, d) => (size === 1 ? [] : [d]))
  if (long.length === 1 || last < 1) return long[0] ?? last
  const isTransposed = (qdata.strides[last - 1] as number) < (qdata.strides[last] as number)
  return isTransposed ? last - 1 : last
}

/** The dimension along which groups run, and codes share elements: K. */
export function packedDim(blockSize: readonly number[]): number {
  takes('s', blockSize)
  return blockSize.findIndex((size) => size !== 1)
}

/** Block size of groups along the last dimension: ones, and `groupSize`. */
export function groupBlockSize(ndim: number, groupSize: number): number[] {
  takes('nn', ndim, groupSize)
  if (!(Number.isInteger(ndim) && ndim > 0 && ndim < 256)) {
    throw fail(ShapeError, 'dimensions from 1 on', ndim)
  }
  return new Array<number>(ndim).fill(1).with(-1, groupSize)
}

/** A scale or zero point from the order of the weight to that of a layout that swaps, and back. */
export function swapLastTwo(qparam: DenseTensor): DenseTensor {
  takes('t', qparam)
  return qparam.ndim < 2 ? qparam : qparam.transpose(-2, -1)
}

/**
 * Dtype of a weight whose files do not say it: that of its scale.
 *
 * @throws {@link DTypeError} for a scale that is not there, or not floating
 */
export function dtypeOfScale(scale: DenseTensor, packageName: string): FloatDType {
  takes('tx', scale, packageName)
  checkDType('scale', scale, FLOAT_DTYPES, packageName)
  return scale.dtype as FloatDType
}

/**
 * Checks the blocks of a weight with one code an element of `qdata`, whose scales and zero points lie in the order
 * of the weight.
 *
 * @throws {@link ShapeError} unless blocks divide `qdata`, and there is one scale, and zero point if any, for each
 */
export function checkBlocks(fields: BlockwiseFields, packageName: string): void {
  takes('o<qdata:t scale:t blockSize:l>x', fields, packageName)
  const { qdata, scale, zeroPoint, blockSize } = fields
  const fail = errorsOf(packageName)
  const blocks = qdata.shape.map((size, d) => size / (blockSize[d] as number))
  const divides = blocks.every((count) => Number.isInteger(count) && count >= 0)
  if (blockSize.length !== qdata.ndim || !divides) {
    const expected = `a block size that divides qdata's shape [${qdata.shape.join(', ')}]`
    throw fail(ShapeError, expected, blockSize)
  }
  for (const [name, tensor] of Object.entries({ scale, zeroPoint })) {
    if (!tensor || tensor.shape.join() === blocks.join()) continue
    const expected = `${name} of shape [${blocks.join(', ')}], one element a block`
    throw fail(ShapeError, expected, tensor.shape)
  }
}

/**
 * Checks the block size of a weight whose codes share elements of `qdata`.
 *
 * @throws {@link ValueError} unless `blockSize` is ones and one group of whole elements of `qdata`
 */
export function checkGroups(
  shape: readonly number[],
  blockSize: readonly number[],
  codesPerElement: number,
  packageName: string,
): void {
  takes('ssnx', shape, blockSize, codesPerElement, packageName)
  const packed = packedDim(blockSize)
  const isOneGroup = blockSize.every((size, d) => d === packed || size === 1)
  const isWhole = (blockSize[packed] ?? 0) % codesPerElement === 0
  if (blockSize.length === shape.length && packed >= 0 && isOneGroup && isWhole) return
  throw errorsOf(packageName)(
    ValueError,
    `a block size of ones and one group size, a multiple of ${codesPerElement}, for shape [${shape.join(', ')}]`,
    `[${blockSize.join(', ')}]`,
  )
}

/**
 * Checks the shapes of a weight in groups whose scales lie as (K / g, N).
 *
 * @throws {@link ShapeError} or {@link ValueError} unless they fit each other
 */
export function checkGroupedShapes(
  fields: BlockwiseFields,
  layout: Pick<BlockwiseLayout<never>, 'packageName' | 'codesPerElement'>,
): void {
  takes('o<qdata:t scale:t blockSize:s>o<packageName:x>', fields, layout)
  const { packageName, codesPerElement = 1 } = layout
  const { qdata, scale, zeroPoint, blockSize } = fields
  const shape = shapeOf(fields)
  checkGroups(shape, blockSize, codesPerElement, packageName)
  const packed = packedDim(blockSize)
  const elements = shape.with(packed, (shape[packed] as number) / codesPerElement)
  checkShape('qdata', qdata, elements, packageName)
  const grid = shape.map((size, d) => size / (blockSize[d] as number))
  const [b, a] = grid.slice(-2)
  const scales = a === undefined || b === undefined ? grid : [...grid.slice(0, -2), a, b]
  checkShape('scale', scale, scales, packageName)
  if (zeroPoint) checkShape('zeroPoint', zeroPoint, scale.shape, packageName)
  checkPreScale(fields.actPreScale, [shape[packed] as number], packageName)
}
