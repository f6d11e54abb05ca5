/** @file linear, bmm and embedding of an int8 weight: which op multiplies, and with what. */

import {
  bmmByExperts,
  cast,
  checkBias,
  embedding,
  linearShape,
  mul,
  numelOf,
  transpose,
  UnsupportedOpError,
  type Tensor,
} from '@ao/base-tensor'
import { fail, PACKAGE } from './errors.ts'
import { inFeaturesDim, type Int8Fields } from './layout.ts'
import { dynamicLinear, groupwiseLinear, staticLinear, weightOnlyLinear } from './linear-ops.ts'
import type { Int8Weight } from './products.ts'
import { checkFloat } from './quantize.ts'
import { pickRows } from './views.ts'

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
  const codes: Int8Weight = [weight.qdata, weight.scale, weight.zeroPoint]
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

/**
 * The product with each expert's weight: `x` (E, M, K) -> (E, M, N).
 *
 * The sum runs over the dimension along which the weight is quantized. A stored weight (E, N, K) gives
 * `x[e] @ weight[e]^T`, as torchao's `bmm` of quantized experts does, and its transpose (E, K, N) gives
 * the same: `x[e] @ weight[e]`.
 *
 * @remarks Experts are independent: an activation that is quantized per tensor has a scale for each.
 * With one scale for all experts, the order in memory tells the two apart: do not `contiguous()` the
 * transpose of such weights when N is K.
 */
export function int8Bmm(x: Tensor, weight: Int8Like): Tensor {
  const isStored = weight.ndim !== 3 || inFeaturesDim(weight) === 2
  const experts = isStored ? weight : (transpose(weight, 1, 2) as Int8Like)
  return bmmByExperts(x, experts, int8Linear, PACKAGE)
}

/** The rows of `weight` (V, H) that tokens `ids` (...) name, as a weight (..., H). */
export function pickEmbeddings(ids: Tensor, weight: Int8Fields): Int8Fields {
  return pickRows(weight, ids.shape, (rows) => embedding(ids, rows))
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
