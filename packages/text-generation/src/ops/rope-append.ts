/** @file What new tokens leave in a key-value cache: rotated keys, and values. */

import { defineOp, zeros, type Op, type Tensor } from '@ao/base-tensor'
import { valueOf, type Position } from './position.ts'
import type { RopeOptions } from './rope-options.ts'
import { rope } from './rope.ts'

/** What {@link ropeAppend} takes. */
export type RopeAppendArgs = [
  q: Tensor,
  k: Tensor,
  v: Tensor,
  cos: Tensor,
  sin: Tensor,
  keys: Tensor,
  values: Tensor,
  start: Position,
  options?: RopeOptions | undefined,
]

/**
 * Rotates queries and keys of new tokens by {@link rope}, and writes these keys and the values into the
 * cache, from row `start` on.
 *
 * `q` (T, H, D), `k` and `v` (T, G, D); `cos` and `sin` (P, R/2) by position; `keys` and `values`
 * (capacity, G, D), which are written to -> the rotated queries (T, H, D)
 */
export const ropeAppend: Op<RopeAppendArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.ropeAppend',
  takes: 'ttttttt.o{interleaved}?',
  budget: { nmse: 1e-5 },
  isComposite: true,
  reference: (...args: RopeAppendArgs): Tensor => {
    const [q, k, v, cos, sin, keys, values, position, options] = args
    const start = valueOf(position)
    const tokens = k.shape[0] as number
    keys.narrow(0, start, tokens).copy_(rope(k, cos, sin, start, options))
    values.narrow(0, start, tokens).copy_(v)
    return rope(q, cos, sin, start, options)
  },
  meta: (q: Tensor) => zeros(q.shape, q.dtype, q.device),
})
