/**
 * @file What a float8 weight is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into blocks of `blockSize` elements. Each block has
 * one scale; each element is one byte, which is a number itself:
 *
 *     value = qdata * scale, and zero where the scale is zero
 *
 *     bit            7   6 5 4 3   2 1 0        bit        7   6 5 4 3 2   1 0
 *     float8_e4m3fn  s   exponent  mantissa     e5m2       s   exponent    mantissa
 *
 *     blockSize [1, K] (per row)   scale (N, 1)          [N, K] (per tensor)      scale (1, 1)
 *               [1, g] (per group) scale (N, K / g)      [128, 128] (per block)   scale (N / 128, K / 128)
 *
 * Three sizes always agree: `scale.shape[d] * blockSize[d] === qdata.shape[d]`.
 */

import { checkDType, ShapeError, type DenseTensor, type FloatDType } from '@ao/base-tensor'
import { blockwiseViews, type BlockwiseFields, type BlockwiseViews } from '@ao/quantized-linear'
import { fail, PACKAGE } from './errors.ts'
import type { Float8MMConfig, KernelPreference, QuantizeTensorToFloat8Kwargs } from './kwargs.ts'

/** The inner tensors and attributes of a {@link Float8Tensor}. */
export interface Float8Fields extends BlockwiseFields {
  /** float8_e4m3fn or float8_e5m2, in the shape of the weight. */
  readonly qdata: DenseTensor
  /** float32: one a block. */
  readonly scale: DenseTensor
  /** Elements along each dimension that share a scale. */
  readonly blockSize: readonly number[]
  /** Dtype of the weight that this stands for. */
  readonly dtype: FloatDType
  /** How inputs are quantized; undefined for a weight-only tensor. */
  readonly actQuantKwargs?: QuantizeTensorToFloat8Kwargs | undefined
  /** Kept for torchao, whose products it tells how to sum. */
  readonly mmConfig?: Float8MMConfig | undefined
  /** Kept for torchao, which chooses kernels by it; AUTO unless given. */
  readonly kernelPreference?: KernelPreference | undefined
}

/** {@link Float8Fields} as files may have them: torchao's attributes are all optional. */
export type StoredFloat8Fields = Omit<Float8Fields, 'blockSize' | 'dtype'> & {
  readonly blockSize?: readonly number[] | undefined
  readonly dtype?: FloatDType | undefined
}

/**
 * `fields` with what torchao takes for what is missing: the block size that the shapes tell, and float32.
 *
 * @throws {@link ShapeError} or {@link DTypeError} unless the parts fit each other
 */
export function checkLayout<Fields extends StoredFloat8Fields>(
  fields: Fields,
): Fields & Float8Fields {
  const { qdata, scale, dtype = 'float32', kernelPreference = 'AUTO' } = fields
  checkDType('qdata', qdata, ['float8_e4m3fn', 'float8_e5m2'], PACKAGE)
  checkDType('scale', scale, 'float32', PACKAGE)
  // torchao wrote an empty list for one scale for all.
  const given = fields.blockSize?.length ? fields.blockSize : undefined
  const blockSize = given ?? qdata.shape.map((size, d) => size / (scale.shape[d] ?? 1))
  const fits = qdata.shape.every((size, d) => {
    const block = blockSize[d] as number
    return Number.isInteger(block) && block >= 0 && block * (scale.shape[d] ?? 1) === size
  })
  if (!fits || scale.ndim !== qdata.ndim || blockSize.length !== qdata.ndim) {
    throw fail(
      ShapeError,
      `a scale for each block of [${blockSize.join(', ')}] in qdata's shape [${qdata.shape.join(', ')}]`,
      `scales of shape [${scale.shape.join(', ')}]`,
    )
  }
  return { ...fields, dtype, kernelPreference, blockSize: Object.freeze([...blockSize]) }
}

/** Views of these fields. */
export const float8Views: BlockwiseViews<Float8Fields> =
  /* @__PURE__ */ blockwiseViews<Float8Fields>({
    packageName: PACKAGE,
    attributesOf: ({ qdata, dtype, actQuantKwargs, mmConfig, kernelPreference }) => ({
      float8Dtype: qdata.dtype,
      ...{ dtype, actQuantKwargs, mmConfig, kernelPreference },
    }),
    hasActivationScales: (fields) =>
      'actQuantScale' in fields && fields.actQuantScale !== undefined,
  })
