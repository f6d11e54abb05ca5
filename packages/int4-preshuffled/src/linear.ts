/** @file linear and bmm of a preshuffled weight: which op multiplies, and with what. */

import { bmmByExperts, checkBias, UnsupportedOpError, type Tensor } from '@ao/base-tensor'
import { PACKAGE, type Int4PreshuffledFields } from './layout.ts'
import {
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  type Int4PreshuffledParts,
} from './linear-ops.ts'

/** A tensor that is made of the fields of this format. */
export type Int4PreshuffledLike = Tensor & Int4PreshuffledFields

/** The parts that ops take. */
export function partsOf(fields: Int4PreshuffledFields): Int4PreshuffledParts {
  return [fields.qdata, fields.groupScale, fields.groupZero, fields.rowScale]
}

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 *
 * @throws {@link UnsupportedOpError} for experts
 */
export function linearOfInt4Preshuffled(
  x: Tensor,
  weight: Int4PreshuffledLike,
  bias?: Tensor,
): Tensor {
  const [n = 0] = weight.shape
  if (weight.ndim !== 2) {
    throw new UnsupportedOpError({
      package: PACKAGE,
      expected: 'a weight (N, K) for linear',
      got: `shape [${weight.shape.join(', ')}]`,
      cure: 'Use bmm for experts, or select one.',
    })
  }
  checkBias(bias, n, PACKAGE)
  const product = weight.rowScale ? int4PreshuffledFloat8Linear : int4PreshuffledLinear
  return product(x, partsOf(weight), n, bias)
}

/** The product with each expert's weight: `x` (E, M, K), `weight` (E, N, K) -> (E, M, N). */
export function bmmOfInt4Preshuffled(x: Tensor, weight: Int4PreshuffledLike): Tensor {
  return bmmByExperts(x, weight, linearOfInt4Preshuffled, PACKAGE)
}
