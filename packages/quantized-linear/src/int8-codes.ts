/** @file From floating numbers to int8 codes, for weights and for inputs of products. */

import {
  asDense,
  DTypeError,
  isFloatDType,
  ShapeError,
  ValueError,
  zeros,
  takes,
} from '@ao/base-tensor'
import type { DenseTensor, FloatDType, Tensor } from '@ao/base-tensor'
import { getBlockSize, type Granularity } from '@ao/granularity'
import {
  chooseQparamsAffine,
  quantizeAffine,
  type MappingType,
  type QuantBounds,
} from '@ao/quant-primitives'
import { fail } from './errors.ts'

/** How to choose codes. */
export interface Int8Quantization {
  /** Which elements share a scale: PerRow(), PerTensor() or PerGroup(n). */
  readonly granularity: Granularity
  /** SYMMETRIC unless given. */
  readonly mappingType?: MappingType | undefined
  /** Whether codes keep to -64..63; false unless given. */
  readonly reduceRange?: boolean | undefined
  /** A scale that is known already, one element a block; chosen from the values unless given. */
  readonly scale?: Tensor | undefined
  /** The zero point that goes with a known scale; zeros unless given. */
  readonly zeroPoint?: Tensor | undefined
}

/** Codes, and what they mean: `value = (qdata - zeroPoint) * scale`. */
export interface Int8Codes {
  /** int8, in the shape of the values. */
  readonly qdata: DenseTensor
  /** float32, one element a block. */
  readonly scale: DenseTensor
  /** int8, as `scale`; zeros for symmetric codes. */
  readonly zeroPoint: DenseTensor
  /** Elements that share a scale, in each dimension. */
  readonly blockSize: readonly number[]
}

// torchao takes float32's eps for all dtypes. As a scale it keeps blocks of zeros from dividing by zero.
const SMALLEST_SCALE = 2 ** -23

/**
 * Codes of a dense floating tensor.
 *
 * @remarks With {@link weightOnlyLinear} they do without a tensor class, which is the
 * smaller half of a bundle.
 * @throws {@link DTypeError} unless `input` is dense and floating
 */
export function quantizeToInt8(input: Tensor, options: Int8Quantization): Int8Codes {
  takes('to', input, options)
  checkFloat(asDense(input, 'what is quantized'))
  const { granularity, mappingType = 'SYMMETRIC', reduceRange = false } = options
  const blockSize = getBlockSize(input.shape, granularity)
  const bounds = codeBounds(reduceRange)
  const { scale, zeroPoint } = options.scale
    ? knownQparams(input, blockSize, options.scale, options)
    : chosenQparams(input, blockSize, bounds, mappingType)
  const qdata = quantizeAffine(input, blockSize, scale, zeroPoint, 'int8', bounds)
  return { qdata: asDense(qdata), scale, zeroPoint, blockSize }
}

/** The codes in use: all of int8, or the half with which 16-bit sums do not saturate. */
function codeBounds(reduceRange: boolean): QuantBounds {
  return reduceRange ? { quantMin: -64, quantMax: 63 } : { quantMin: -128, quantMax: 127 }
}

/** The dtype of a tensor, when it is a floating one. */
export function checkFloat(tensor: Tensor): FloatDType {
  takes('t', tensor)
  const { dtype } = tensor
  if (isFloatDType(dtype)) return dtype
  throw fail(DTypeError, 'a tensor of float32, float16 or bfloat16', dtype)
}

type Qparams = Pick<Int8Codes, 'scale' | 'zeroPoint'>

function chosenQparams(
  input: Tensor,
  blockSize: readonly number[],
  bounds: QuantBounds,
  mappingType: MappingType,
): Qparams {
  const { scale, zeroPoint } = chooseQparamsAffine(input, mappingType, blockSize, 'int8', {
    ...bounds,
    eps: SMALLEST_SCALE,
    scaleDtype: 'float32',
    zeroPointDtype: 'int8',
    keepdim: true,
    finite: true,
  })
  return { scale: asDense(scale), zeroPoint: asDense(zeroPoint) }
}

function knownQparams(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  { mappingType, zeroPoint }: Int8Quantization,
): Qparams {
  const shape = input.shape.map((size, d) => size / (blockSize[d] as number))
  if (scale.shape.join() !== shape.join()) {
    throw fail(
      ShapeError,
      `a scale of shape [${shape.join(', ')}] for values of shape [${input.shape.join(', ')}]`,
      scale.shape,
    )
  }
  if (mappingType === 'ASYMMETRIC' && !zeroPoint) {
    throw fail(ValueError, 'a zero point beside the scale for ASYMMETRIC mapping', 'none')
  }
  return {
    scale: asDense(scale),
    zeroPoint: zeroPoint ? asDense(zeroPoint) : zeros(scale.shape, 'int8', input.device),
  }
}
