/** @file The sum of what several experts make of a token. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '@ao/text-generation'

/**
 * `sum(weights[t, s] * outputs[s, t])` over s, summed in float32 and rounded once.
 *
 * `outputs` (S, T, H), `weights` (T, S) -> (T, H), in the dtype of `outputs`
 */
export const combineExperts: Op<[outputs: Tensor, weights: Tensor], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'causal_lm.combineExperts',
    takes: 'tt',
    budget: { nmse: 1e-6 },
    reference: (outputs: Tensor, weights: Tensor): Tensor => {
      const [count, tokens, size] = checkCombine(outputs, weights)
      const values = hostFloat32(outputs)
      const shares = hostFloat32(weights)
      const out = new Float32Array(tokens * size)
      for (let s = 0; s < count; s++) {
        for (let t = 0; t < tokens; t++) {
          const share = shares[t * count + s] as number
          const from = (s * tokens + t) * size
          for (let i = 0; i < size; i++) {
            out[t * size + i] = (out[t * size + i] as number) + share * (values[from + i] as number)
          }
        }
      }
      return fromFloat32(out, [tokens, size], outputs.dtype)
    },
    meta: (outputs: Tensor, weights: Tensor): Tensor => {
      const [, tokens, size] = checkCombine(outputs, weights)
      return zeros([tokens, size], outputs.dtype, outputs.device)
    },
  })

/** @throws {@link ShapeError} unless each output has its weight */
function checkCombine(
  outputs: Tensor,
  weights: Tensor,
): readonly [count: number, tokens: number, size: number] {
  floatDType(outputs, 'combineExperts')
  floatDType(weights, 'combineExperts')
  const [count = 0, tokens = 0, size = 0] = outputs.shape
  if (outputs.ndim === 3 && weights.shape.join() === `${tokens},${count}`) {
    return [count, tokens, size]
  }
  throw new ShapeError({
    package: '@ao/causal-lm',
    expected: 'outputs of shape [S, T, H] and weights of shape [T, S]',
    got: `[${outputs.shape.join(', ')}] and [${weights.shape.join(', ')}]`,
  })
}
