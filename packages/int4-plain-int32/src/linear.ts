/** @file linear and bmm of an int4 weight: with what the op multiplies. */

import type { Tensor } from '@ao/base-tensor'
import { groupedBmm, groupedLinearInput } from '@ao/quantized-linear'
import { PACKAGE, type Int4PlainInt32Fields } from './layout.ts'
import { int4PlainInt32Linear } from './linear-ops.ts'

/** A tensor that is made of the fields of this format. */
export type PlainInt32Like = Tensor & Int4PlainInt32Fields

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 *
 * @throws {@link UnsupportedOpError} for a weight that is not (N, K) with its groups along K
 */
export function linearOfPlainInt32(x: Tensor, weight: PlainInt32Like, bias?: Tensor): Tensor {
  const input = groupedLinearInput(x, weight, bias, PACKAGE)
  return int4PlainInt32Linear(input, [weight.qdata, weight.scale, weight.zeroPoint], bias)
}

/** The product with each expert's weight, as stored or transposed: `x` (E, M, K) -> (E, M, N). */
export function bmmOfPlainInt32(x: Tensor, weight: PlainInt32Like): Tensor {
  return groupedBmm(x, weight, linearOfPlainInt32, PACKAGE)
}
