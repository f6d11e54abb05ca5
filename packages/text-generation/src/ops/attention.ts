/** @file Attention of tokens over keys and values: those of a cache, or all of a text. */

import {
  defineOp,
  finfo,
  fromArray,
  fromFloat32,
  hostArray,
  hostFloat32,
  matmulNT,
  roundArray,
  rounder,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '../float-dtype.ts'
import {
  checkAttention,
  type AttentionOptions,
  type CheckedAttention,
} from './attention-options.ts'
import { valueOf, type Position } from './position.ts'

/** What {@link attention} takes. */
export type AttentionArgs = [
  q: Tensor,
  keys: Tensor,
  values: Tensor,
  length: Position,
  options?: AttentionOptions | undefined,
  sinks?: Tensor | undefined,
  keyMask?: Tensor | undefined,
]

/**
 * `softmax(scale * q k^T) v` for the newest T of `length` tokens: each attends to itself and to all
 * before it, unless {@link AttentionOptions} say otherwise. Query head h reads key and value head
 * `h / (H / G)`, rounded down (grouped queries). Sums are computed in float32 or better. Products, scores,
 * weights and results are rounded to `q`'s dtype, as transformers' eager attention does; kernels may keep
 * weights in float32.
 *
 * `q` (T, H, D); `keys`, `values` (capacity, G, D), of which the first `length` tokens are filled, the T new
 * ones included; `sinks` (H), a score for each head that takes part in the softmax and has no value (gpt-oss);
 * `keyMask` (length or more) of int32, 0 for keys that nobody sees, such as padding -> (T, H, D)
 *
 * A query that sees no key gives 0. With `isCausal: false`, `length` may be less than T: queries stand
 * at positions from 0 on, and keys from `length` on are padding.
 */
export const attention: Op<AttentionArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.attention',
  takes: 'ttt.o{scale slidingWindow softcap isCausal}?t?t?',
  budget: { nmse: 1e-5 },
  reference: (...args: AttentionArgs): Tensor => {
    const [q, keys, values, position, options, sinks, keyMask] = args
    const length = valueOf(position)
    const checked = checkAttention(q, keys, values, length, options, sinks, keyMask)
    const dtype = floatDType(q, 'attention')
    const isRounded = dtype !== 'float32'
    const [tokens, heads, headDim] = q.shape as [number, number, number]
    const groups = keys.shape[1] as number
    const size = tokens * headDim
    const out = new Float32Array(heads * size) // (H, T, D)
    const weights = new Float32Array(tokens * length) // one head's, row by row
    const sinkScores = sinks && hostFloat32(sinks)
    const isVisible = keyMask && hostArray(keyMask)
    for (let h = 0; h < heads; h++) {
      const g = Math.floor((h * groups) / heads)
      const query = hostFloat32(q.select(1, h)) // (T, D)
      const key = hostFloat32(keys.narrow(0, 0, length).select(1, g)) // (length, D)
      const value = hostFloat32(values.narrow(0, 0, length).select(1, g).transpose(0, 1)) // (D, length)
      matmulNT(query, key, weights, tokens, length, headDim)
      const isScaled = isRounded || checked.softcap !== undefined
      if (isScaled) scaleScores(weights, checked, dtype)
      if (isVisible) {
        for (let i = 0; i < weights.length; i++) if (!isVisible[i % length]) weights[i] = -Infinity
      }
      softmaxRows(weights, tokens, length, checked, isScaled ? 1 : checked.scale, sinkScores?.[h])
      if (isRounded) roundArray(weights, dtype)
      matmulNT(weights, value, out.subarray(h * size, (h + 1) * size), tokens, headDim, length)
    }
    const byToken = fromArray(out, [heads, tokens, headDim], 'float32').transpose(0, 1)
    return fromFloat32(hostFloat32(byToken), q.shape, q.dtype)
  },
  meta: (...args: AttentionArgs): Tensor => {
    const [q, keys, values, length, ...options] = args
    checkAttention(q, keys, values, valueOf(length), ...options)
    return zeros(q.shape, q.dtype, q.device)
  },
})

/** Scores of the products of queries and keys, in place. Each step is rounded; float16 stays finite. */
function scaleScores(scores: Float32Array, checked: CheckedAttention, dtype: FloatDType): void {
  const { softcap } = checked
  const scale = Math.fround(checked.scale)
  const { max } = finfo(dtype)
  const round = rounder(dtype)
  for (let i = 0; i < scores.length; i++) {
    const product = Math.min(Math.max(scores[i] as number, -max), max)
    const score = round(round(product) * scale)
    scores[i] =
      softcap === undefined ? score : round(softcap * round(Math.tanh(round(score / softcap))))
  }
}

/** Softmax of rows of scores times `factor`, in place, over the keys that each row may see; the rest becomes 0. */
function softmaxRows(
  weights: Float32Array,
  rows: number,
  length: number,
  { window, isCausal, past }: CheckedAttention,
  factor: number,
  sink: number | undefined,
): void {
  for (let row = 0; row < rows; row++) {
    const first = row * length
    const position = past + row
    const start = first + Math.min(Math.max(position + 1 - window, 0), length)
    const end = first + Math.min(isCausal ? position + 1 : position + window, length)
    let max = sink === undefined ? -Infinity : sink / factor
    for (let i = start; i < end; i++) max = Math.max(max, weights[i] as number)
    let sum = sink === undefined ? 0 : Math.exp(sink - max * factor)
    const seen = max > -Infinity ? end : start // nothing is, where every key is masked
    for (let i = start; i < seen; i++) {
      const weight = Math.exp(((weights[i] as number) - max) * factor)
      weights[i] = weight
      sum += weight
    }
    for (let i = start; i < end; i++) weights[i] = sum > 0 ? (weights[i] as number) / sum : 0
    weights.fill(0, first, start)
    weights.fill(0, Math.max(start, end), first + length)
  }
}
