/** @file The step from one branch of a decoder layer to the next: add, then normalise. */

import { add, defineOp, type Op, type Tensor } from '@ao/base-tensor'
import { rmsNorm, type RMSNormOptions } from '@ao/nn'

/**
 * `sum = x + y` and `rmsNorm(sum, weight, eps, options)` in one op.
 *
 * `x`, `y` (..., H), `weight` (H) -> both of `x`'s shape
 */
export const addRmsNorm: Op<
  [x: Tensor, y: Tensor, weight: Tensor, eps: number, options?: RMSNormOptions | undefined],
  readonly [sum: Tensor, normed: Tensor]
> = /* @__PURE__ */ defineOp({
  name: 'text_generation.addRmsNorm',
  budget: { nmse: 1e-6 },
  isComposite: true,
  reference: addThenNorm,
  meta: addThenNorm,
})

function addThenNorm(
  x: Tensor,
  y: Tensor,
  weight: Tensor,
  eps: number,
  options?: RMSNormOptions,
): readonly [sum: Tensor, normed: Tensor] {
  const sum = add(x, y)
  return [sum, rmsNorm(sum, weight, eps, options)]
}
