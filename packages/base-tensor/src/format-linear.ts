/** @file What `linear` and `bmm` of quantized weights share, whatever the format. */

import { takes } from './takes.ts'
import { fromFloat32, hostFloat32 } from './cast.ts'
import type { StoredDType } from './dtype.ts'
import { ShapeError, errorsOf } from './errors.ts'
import { addBias } from './math-ops.ts'
import type { Tensor } from './tensor.ts'
import { cat, select, unsqueeze } from './view-ops.ts'

/**
 * Checks the bias of a product with a weight (N, K).
 *
 * @throws {@link ShapeError} unless a bias, if there is one, has `n` elements
 */
export function checkBias(bias: Tensor | undefined, n: number, packageName: string): void {
  takes('t?nx', bias, n, packageName)
  if (!bias || bias.numel === n) return
  throw errorsOf(packageName)(
    ShapeError,
    `a bias of ${n} elements`,
    `shape [${bias.shape.join(', ')}]`,
  )
}

/**
 * Products (..., N), plus the bias (N) if there is one, as a tensor: rounded to `dtype` once, so that a sum
 * beyond float16 is not lost where the bias brings it back.
 *
 * @param products - may be written into
 * @throws {@link ShapeError} unless `bias` has N elements
 */
export function addBiasThenRound(
  products: Float32Array,
  shape: readonly number[],
  dtype: StoredDType,
  bias: Tensor | undefined,
): Tensor {
  takes('Fszt?', products, shape, dtype, bias)
  if (bias) addBias(products, hostFloat32(bias), shape.at(-1) as number)
  return fromFloat32(products, shape, dtype)
}

/**
 * The product with each expert's weight: `x` (E, M, K), `experts` (E, N, K) -> (E, M, N).
 *
 * @param multiply - the format's `x @ weight^T` of one expert: (M, K), (N, K) -> (M, N)
 * @throws {@link ShapeError} unless there are experts, and inputs for each of them
 */
export function bmmByExperts<Weight extends Tensor>(
  x: Tensor,
  experts: Weight,
  multiply: (x: Tensor, expert: Weight) => Tensor,
  packageName: string,
): Tensor {
  takes('ttfx', x, experts, multiply, packageName)
  const [count, , k] = experts.shape
  if (experts.ndim !== 3 || x.ndim !== 3 || x.shape[0] !== count || x.shape[2] !== k) {
    throw errorsOf(packageName)(
      ShapeError,
      'an input (E, M, K) and experts (E, N, K) for bmm',
      `[${x.shape.join(', ')}] and [${experts.shape.join(', ')}]`,
    )
  }
  const outputs = Array.from({ length: count as number }, (_, e) =>
    unsqueeze(multiply(select(x, 0, e), select(experts, 0, e) as Weight), 0),
  )
  return cat(outputs, 0)
}
