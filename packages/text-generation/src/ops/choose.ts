/** @file What choosing a token needs of the logits, so that few numbers leave the device. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { argmax } from '../sampler.ts'

/**
 * The id of the largest logit of each row; the lowest one among equals. A row with NaN is refused on the
 * CPU; other devices give -1 for it.
 *
 * `logits` (T, vocabulary) -> int32 (T)
 */
export const argmaxTokens: Op<[logits: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.argmax',
  takes: 't',
  reference: (logits: Tensor): Tensor => {
    const [rows, vocabulary] = matrixShape(logits)
    const values = hostFloat32(logits)
    const ids = Int32Array.from({ length: rows }, (_, row) =>
      argmax(values.subarray(row * vocabulary, (row + 1) * vocabulary)),
    )
    return fromArray(ids, [rows], 'int32')
  },
  meta: (logits: Tensor): Tensor => zeros([matrixShape(logits)[0]], 'int32', logits.device),
})

/**
 * The `k` largest logits and their ids, in the order of ids; the lowest ids among equals. NaN counts as
 * larger than any number.
 *
 * `logits` (1, vocabulary) -> float32 (2, k): logits, and ids as numbers
 */
export const topKTokens: Op<[logits: Tensor, k: number], Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.topK',
  takes: 'tn',
  reference: (logits: Tensor, k: number): Tensor => {
    checkTopK(logits, k)
    const values = hostFloat32(logits)
    const rank = (id: number): number => {
      const value = values[id] as number
      return Number.isNaN(value) ? Infinity : value
    }
    const ids = Array.from(values.keys())
      .sort((a, b) => compare(rank(b), rank(a)) || a - b)
      .slice(0, k)
      .sort((a, b) => a - b)
    const chosen = ids.map((id) => values[id] as number)
    return fromFloat32(Float32Array.from([...chosen, ...ids]), [2, k], 'float32')
  },
  meta: (logits: Tensor, k: number): Tensor => {
    checkTopK(logits, k)
    return zeros([2, k], 'float32', logits.device)
  },
})

const compare = (a: number, b: number): number => (a === b ? 0 : a - b)

function checkTopK(logits: Tensor, k: number): void {
  const [rows, vocabulary] = matrixShape(logits)
  if (rows === 1 && k >= 1 && k <= vocabulary) return
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: `logits of shape [1, vocabulary] with at least k=${k} tokens`,
    got: `[${logits.shape.join(', ')}]`,
  })
}

/** @throws {@link ShapeError} unless `logits` are rows of one token at least */
export function matrixShape(logits: Tensor): readonly [rows: number, vocabulary: number] {
  const [rows = 0, vocabulary = 0] = logits.shape
  if (logits.ndim === 2 && vocabulary > 0) return [rows, vocabulary]
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: 'logits of shape [T, vocabulary]',
    got: `[${logits.shape.join(', ')}]`,
  })
}
