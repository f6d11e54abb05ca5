/** @file linear and bmm of an int4 weight: which op multiplies, and with what. */

import type { Tensor } from '@ao/base-tensor'
import { groupedBmm, groupedLinearInput } from '@ao/quantized-linear'
import { PACKAGE, type Int4Fields } from './layout.ts'
import { int4Float8Linear, int4Linear, type Int4Weight } from './linear-ops.ts'

/** A tensor that is made of int4 fields. */
export type Int4Like = Tensor & Int4Fields

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 *
 * @throws {@link UnsupportedOpError} for a weight that is not (N, K) with its groups along K
 */
export function linearOfInt4(x: Tensor, weight: Int4Like, bias?: Tensor): Tensor {
  const input = groupedLinearInput(x, weight, bias, PACKAGE)
  const stored: Int4Weight = [weight.qdata, weight.scale, weight.zeroPoint]
  const product = weight.activationDtype === 'float8_e4m3fn' ? int4Float8Linear : int4Linear
  return product(input, stored, bias)
}

/** The product with each expert's weight, as stored or transposed: `x` (E, M, K) -> (E, M, N). */
export function bmmOfInt4(x: Tensor, weight: Int4Like): Tensor {
  return groupedBmm(x, weight, linearOfInt4, PACKAGE)
}
