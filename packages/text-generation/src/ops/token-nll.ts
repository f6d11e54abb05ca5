/** @file How badly logits predict tokens. */

import {
  defineOp,
  fromFloat32,
  hostArray,
  hostFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { matrixShape } from './choose.ts'

/**
 * `-log softmax(row)[target]` of each row, in nats.
 *
 * `logits` (T, vocabulary), `targets` int32 (T), which are not checked -> float32 (T)
 */
export const tokenNll: Op<[logits: Tensor, targets: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.tokenNll',
  takes: 'tt',
  budget: { nmse: 1e-6 },
  reference: (logits: Tensor, targets: Tensor): Tensor => {
    const [rows, vocabulary] = checkShapes(logits, targets)
    const values = hostFloat32(logits)
    const ids = hostArray(targets)
    const out = Float32Array.from({ length: rows }, (_, row) =>
      negativeLogLikelihood(values, row * vocabulary, vocabulary, Number(ids[row])),
    )
    return fromFloat32(out, [rows], 'float32')
  },
  meta: (logits: Tensor, targets: Tensor): Tensor =>
    zeros([checkShapes(logits, targets)[0]], 'float32', logits.device),
})

/** `-log softmax(logits)[target]`, of `length` logits from `first` on, in double precision. */
export function negativeLogLikelihood(
  logits: Float32Array,
  first: number,
  length: number,
  target: number,
): number {
  let max = -Infinity
  for (let i = first; i < first + length; i++) max = Math.max(max, logits[i] as number)
  let sum = 0
  for (let i = first; i < first + length; i++) sum += Math.exp((logits[i] as number) - max)
  return max + Math.log(sum) - (logits[first + target] as number)
}

function checkShapes(logits: Tensor, targets: Tensor): readonly [rows: number, vocabulary: number] {
  const [rows, vocabulary] = matrixShape(logits)
  if (targets.ndim === 1 && targets.shape[0] === rows) return [rows, vocabulary]
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: `targets of shape [${rows}], one for each row of logits`,
    got: `[${targets.shape.join(', ')}]`,
  })
}
