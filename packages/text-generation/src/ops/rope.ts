/** @file Rotary position embedding: turns pairs of a head's elements by angles that grow with position. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  rounder,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '../float-dtype.ts'
import { ropePairs, type RopeOptions } from './rope-options.ts'

/** What {@link rope} takes. */
export type RopeArgs = [
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  start: number,
  options?: RopeOptions | undefined,
]

/**
 * Rotates pairs of elements of each head by the angle of their position: transformers'
 * `apply_rotary_pos_emb`, with its roundings to `x`'s dtype.
 *
 * `x` (T, heads, D); `cos`, `sin` (P, R/2) by position, in `x`'s dtype, of which the first R elements of a
 * head turn (R < D: partial rotary); token t stands at position `start + t`, which is less than P
 * -> (T, heads, D)
 */
export const rope: Op<RopeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.rope',
  takes: 'tttno{interleaved}?',
  budget: { nmse: 1e-5 },
  reference: (...args: RopeArgs): Tensor => {
    const { count, step, apart } = ropePairs(...args)
    const [x, cos, sin, start] = args
    const [tokens, heads, headDim] = x.shape as [number, number, number]
    const round = rounder(floatDType(x, 'rope'))
    const values = hostFloat32(x)
    const cosines = hostFloat32(cos.narrow(0, start, tokens))
    const sines = hostFloat32(sin.narrow(0, start, tokens))
    const out = values.slice()
    for (let row = 0; row < tokens * heads; row++) {
      const angle = Math.floor(row / heads) * count
      for (let i = 0; i < count; i++) {
        const first = row * headDim + i * step
        const a = values[first] as number
        const b = values[first + apart] as number
        const c = cosines[angle + i] as number
        const s = sines[angle + i] as number
        out[first] = round(a * c) - round(b * s)
        out[first + apart] = round(b * c) + round(a * s)
      }
    }
    return fromFloat32(out, x.shape, x.dtype)
  },
  meta: (...args: RopeArgs): Tensor => {
    ropePairs(...args)
    const [x] = args
    return zeros(x.shape, x.dtype, x.device)
  },
})
