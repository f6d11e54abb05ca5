/**
 * @file What an int8 weight is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into blocks of `blockSize` elements. Each
 * block has one scale and one zero point; each element is one byte:
 *
 *     value = (qdata - zeroPoint) * scale
 *
 *     blockSize [1, K] (per row)       [1, g] (per group)          [N, K] (per tensor)
 *     qdata     (N, K)  scale (N, 1)   (N, K)  scale (N, K / g)    (N, K)  scale (1, 1)
 *     +------------------+ +--+        +-----+-----+-----+ +--+--+--+   +------------------+ +--+
 *     |   one scale ...  | |s0|        |  g  |  g  |  g  | |s0|s1|s2|   |                  | |s |
 *     +------------------+ +--+        +-----+-----+-----+ +--+--+--+   |    one scale     | +--+
 *     |  ... for a row   | |s1|        |  g  |  g  |  g  | |s3|s4|s5|   |                  |
 *     +------------------+ +--+        +-----+-----+-----+ +--+--+--+   +------------------+
 *
 * Three sizes always agree: `scale.shape[d] * blockSize[d] === qdata.shape[d]`. Every view of a weight
 * keeps that, so the block size tells how scales belong to codes whatever was sliced or transposed.
 */

import {
  checkDType,
  checkPreScale,
  checkShape,
  FLOAT_DTYPES,
  ShapeError,
  ValueError,
  type DenseTensor,
  type FloatDType,
} from '@ao/base-tensor'
import {
  blockwiseViews,
  checkBlocks,
  type BlockwiseFields,
  type BlockwiseViews,
  type QuantizeTensorToInt8Kwargs,
} from '@ao/quantized-linear'
import { fail, PACKAGE } from './errors.ts'

/** The inner tensors and attributes of an {@link Int8Tensor}. */
export interface Int8Fields extends BlockwiseFields {
  /** int8 codes, in the shape of the weight. */
  readonly qdata: DenseTensor
  /** One scale a block, float32: shape of `qdata` divided by `blockSize`. */
  readonly scale: DenseTensor
  /** Elements along each dimension that share a scale. */
  readonly blockSize: readonly number[]
  /** Dtype of the weight that this stands for. */
  readonly dtype: FloatDType
  /** int8, in the shape of `scale`; zeros for a symmetric weight. */
  readonly zeroPoint?: DenseTensor | undefined
  /** Scale of the activation, where it is known beforehand (static quantization): one element or (M, 1). */
  readonly actQuantScale?: DenseTensor | undefined
  /** Zero point that goes with `actQuantScale`. */
  readonly actQuantZeroPoint?: DenseTensor | undefined
  /** What the activation is multiplied by first, (K): of SmoothQuant and AWQ. */
  readonly actPreScale?: DenseTensor | undefined
  /** How activations are quantized; undefined for a weight-only tensor. */
  readonly actQuantKwargs?: QuantizeTensorToInt8Kwargs | undefined
  /** Whether codes keep to -64..63, for processors whose int8 sums saturate at 16 bits. */
  readonly reduceRange?: boolean | undefined
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int8Fields): void {
  const { qdata, scale, zeroPoint, actPreScale } = fields
  checkDType('qdata', qdata, 'int8', PACKAGE)
  checkDType('scale', scale, FLOAT_DTYPES, PACKAGE)
  checkBlocks(fields, PACKAGE)
  if (zeroPoint) checkDType('zeroPoint', zeroPoint, 'int8', PACKAGE)
  checkPreScale(actPreScale, qdata.shape.slice(-2), PACKAGE)
  checkActivation(fields)
}

function checkActivation({ actQuantKwargs, actQuantScale, actQuantZeroPoint }: Int8Fields): void {
  if (actQuantZeroPoint && !actQuantScale) throw missing('actQuantScale', 'actQuantZeroPoint')
  if (!actQuantScale) return
  if (!actQuantKwargs) throw missing('actQuantKwargs', 'actQuantScale')
  checkDType('actQuantScale', actQuantScale, FLOAT_DTYPES, PACKAGE)
  if (actQuantZeroPoint) {
    checkDType('actQuantZeroPoint', actQuantZeroPoint, 'int8', PACKAGE)
    checkShape('actQuantZeroPoint', actQuantZeroPoint, actQuantScale.shape, PACKAGE)
  }
  const { numel } = actQuantScale
  if (numel === 1 || (numel > 0 && actQuantKwargs.granularity?.type !== 'PerTensor')) return
  throw fail(ShapeError, 'actQuantScale of one element, or of one a token', actQuantScale.shape)
}

function missing(name: string, beside: string): ValueError {
  return fail(ValueError, `${name} beside ${beside}`, 'none')
}

/** Views of these fields. */
export const int8Views: BlockwiseViews<Int8Fields> = /* @__PURE__ */ blockwiseViews<Int8Fields>({
  packageName: PACKAGE,
  attributesOf: ({ dtype, actQuantKwargs, reduceRange }) => ({
    dtype,
    actQuantKwargs,
    reduceRange,
  }),
  hasActivationScales: ({ actQuantScale }) => actQuantScale !== undefined,
})
