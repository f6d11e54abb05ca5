/** @file Causal attention of new tokens over a key-value cache. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  matmulNT,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '../float-dtype.ts'
import { valueOf, type Position } from './position.ts'

/**
 * `softmax(q k^T / sqrt(D)) v` for the newest T of `length` tokens: each attends to itself and to all
 * before it. Query head h reads key and value head `h / (H / G)`, rounded down (grouped queries).
 * Computed in float32 or better and rounded once to `q`'s dtype.
 *
 * `q` (T, H, D); `keys`, `values` (capacity, G, D), of which the first `length` tokens are filled,
 * the T new ones included -> (T, H, D)
 */
export const attention: Op<[q: Tensor, keys: Tensor, values: Tensor, length: Position], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'text_generation.attention',
    budget: { nmse: 1e-5 },
    reference: (q: Tensor, keys: Tensor, values: Tensor, position: Position): Tensor => {
      checkAttention(q, keys, values, position)
      const length = valueOf(position)
      floatDType(q, 'attention')
      const [tokens, heads, headDim] = q.shape as [number, number, number]
      const groups = keys.shape[1] as number
      const size = tokens * headDim
      const out = new Float32Array(heads * size) // (H, T, D)
      const weights = new Float32Array(tokens * length) // one head's, row by row
      for (let h = 0; h < heads; h++) {
        const g = Math.floor((h * groups) / heads)
        const query = hostFloat32(q.select(1, h)) // (T, D)
        const key = hostFloat32(keys.narrow(0, 0, length).select(1, g)) // (length, D)
        const value = hostFloat32(values.narrow(0, 0, length).select(1, g).transpose(0, 1)) // (D, length)
        matmulNT(query, key, weights, tokens, length, headDim)
        causalSoftmax(weights, tokens, length, 1 / Math.sqrt(headDim))
        matmulNT(weights, value, out.subarray(h * size, (h + 1) * size), tokens, headDim, length)
      }
      const byToken = fromArray(out, [heads, tokens, headDim], 'float32').transpose(0, 1)
      return fromFloat32(hostFloat32(byToken), q.shape, q.dtype)
    },
    meta: (q: Tensor, keys: Tensor, values: Tensor, length: Position): Tensor => {
      checkAttention(q, keys, values, length)
      return zeros(q.shape, q.dtype, q.device)
    },
  })

/**
 * Softmax of `scale * row`, in place, over what each row may see: all of the last row (the newest
 * token), one less of the row before, and so on. The rest of a row becomes 0.
 */
function causalSoftmax(weights: Float32Array, rows: number, length: number, scale: number): void {
  for (let row = 0; row < rows; row++) {
    const start = row * length
    const end = start + length - rows + row + 1
    let max = -Infinity
    for (let i = start; i < end; i++) max = Math.max(max, weights[i] as number)
    let sum = 0
    for (let i = start; i < end; i++) {
      const weight = Math.exp(((weights[i] as number) - max) * scale)
      weights[i] = weight
      sum += weight
    }
    for (let i = start; i < end; i++) weights[i] = (weights[i] as number) / sum
    weights.fill(0, end, start + length)
  }
}

/** @throws {@link ShapeError} for shapes that {@link attention} does not take */
export function checkAttention(q: Tensor, keys: Tensor, values: Tensor, position: Position): void {
  const length = valueOf(position)
  const [tokens = 0, heads = 0, headDim] = q.shape
  const [capacity = 0, groups = 0, keyDim] = keys.shape
  const fits =
    q.ndim === 3 && keys.ndim === 3 && keyDim === headDim && groups > 0 && heads % groups === 0
  const filled = tokens > 0 && length >= tokens && length <= capacity
  if (fits && filled && keys.shape.join() === values.shape.join()) return
  const shapes = [q, keys, values].map((tensor) => `[${tensor.shape.join(', ')}]`)
  throw new ShapeError({
    package: '@ao/text-generation',
    expected:
      'q of shape [T, H, D], keys and values of shape [capacity, G, D] with G dividing H and T <= length <= capacity',
    got: `${shapes.join(', ')} and length ${length}`,
  })
}
