/** @file linear and bmm of a preshuffled weight: which op multiplies, and with what. */

import {
  cat,
  select,
  ShapeError,
  unsqueeze,
  UnsupportedOpError,
  type Tensor,
} from '@ao/base-tensor'
import { PACKAGE, type Int4PreshuffledFields } from './layout.ts'
import {
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  type Int4PreshuffledParts,
} from './linear-ops.ts'
import { selectInt4Preshuffled } from './views.ts'

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
  weight: Int4PreshuffledFields,
  bias?: Tensor,
): Tensor {
  const [n, k] = weight.shape
  if (weight.shape.length !== 2) {
    throw new UnsupportedOpError({
      package: PACKAGE,
      expected: 'a weight (N, K) for linear',
      got: `shape [${weight.shape.join(', ')}]`,
      cure: 'Use bmm for experts, or select one.',
    })
  }
  if (bias && bias.numel !== n) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `a bias of ${n} elements for a weight of shape [${n}, ${k}]`,
      got: `shape [${bias.shape.join(', ')}]`,
    })
  }
  const product = weight.rowScale ? int4PreshuffledFloat8Linear : int4PreshuffledLinear
  return product(x, partsOf(weight), n as number, bias)
}

/** The product with each expert's weight: `x` (E, M, K), `weight` (E, N, K) -> (E, M, N). */
export function bmmOfInt4Preshuffled(x: Tensor, weight: Int4PreshuffledFields): Tensor {
  const [experts, , k] = weight.shape
  const isBatch = weight.shape.length === 3
  if (!isBatch || x.ndim !== 3 || x.shape[0] !== experts || x.shape[2] !== k) {
    throw new ShapeError({
      package: PACKAGE,
      expected: 'an input (E, M, K) and experts (E, N, K) for bmm',
      got: `[${x.shape.join(', ')}] and [${weight.shape.join(', ')}]`,
    })
  }
  const outputs = Array.from({ length: experts as number }, (_, e) =>
    unsqueeze(linearOfInt4Preshuffled(select(x, 0, e), selectInt4Preshuffled(weight, 0, e)), 0),
  )
  return cat(outputs, 0)
}
