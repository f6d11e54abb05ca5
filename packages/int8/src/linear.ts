/** @file linear of an int8 weight: which op multiplies, and with what. */

import {
  cast,
  checkBias,
  linearShape,
  mul,
  numelOf,
  UnsupportedOpError,
  type Tensor,
} from '@ao/base-tensor'
import {
  checkFloat,
  dynamicLinear,
  groupwiseLinear,
  inFeaturesDim,
  staticLinear,
  weightOnlyLinear,
  type CodedWeight,
} from '@ao/quantized-linear'
import { fail, PACKAGE } from './errors.ts'
import type { Int8Fields } from './layout.ts'

/** A tensor that is made of int8 fields. */
export type Int8Like = Tensor & Int8Fields

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 *
 * @throws {@link UnsupportedOpError} for quantized activations with a weight that has groups along K,
 * or is transposed: sums of codes need one scale a row
 */
export function int8Linear(x: Tensor, weight: Int8Like, bias?: Tensor): Tensor {
  checkBias(bias, linearShape(x, weight).at(-1) as number, PACKAGE)
  const outDtype = checkFloat(x)
  const activation = weight.actQuantKwargs
  const hasRowScales = weight.blockSize[1] === weight.shape[1]
  const codes: CodedWeight = [weight.qdata, weight.scale, weight.zeroPoint]
  const input = weight.actPreScale ? mul(x, keepsInFeatures(weight, weight.actPreScale)) : x
  if (activation && !(activation.weightOnlyDecode && isOneToken(x))) {
    if (!hasRowScales) throw needsRowScales(weight)
    if (!weight.actQuantScale) return dynamicLinear(input, codes, bias, activation, outDtype)
    const qparams = [weight.actQuantScale, weight.actQuantZeroPoint] as const
    return staticLinear(input, codes, bias, activation, qparams, outDtype)
  }
  const out = hasRowScales
    ? weightOnlyLinear(input, codes, bias)
    : groupwiseLinear(input, codes, bias, checkFloat(weight))
  return cast(out, outDtype)
}

function isOneToken(x: Tensor): boolean {
  return numelOf(x.shape.slice(-2, -1)) === 1
}

function keepsInFeatures(weight: Int8Like, actPreScale: Tensor): Tensor {
  if (inFeaturesDim(weight) === 1) return actPreScale
  throw fail(
    UnsupportedOpError,
    'a weight (N, K) where it has a pre-scale for the K features of the input',
    `a transposed one, of shape [${weight.shape.join(', ')}]`,
    'Transpose it back, or dequantize() it.',
  )
}

function needsRowScales(weight: Int8Like): UnsupportedOpError {
  return fail(
    UnsupportedOpError,
    `one scale for all ${weight.shape[1]} elements of a row, to multiply with a quantized activation`,
    `blocks of [${weight.blockSize.join(', ')}]`,
    'Quantize the weight PerRow() or PerTensor().',
  )
}
