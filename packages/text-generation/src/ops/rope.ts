/** @file Rotary position embedding: turns pairs of a head's elements by angles that grow with position. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  rounder,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType } from '../float-dtype.ts'

/**
 * Rotates elements `i` and `i + D/2` of each head by the angle of their position: transformers'
 * `apply_rotary_pos_emb`, with its roundings to `x`'s dtype.
 *
 * `x` (T, heads, D); `cos`, `sin` (P, D/2) by position, in `x`'s dtype; token t stands at position
 * `start + t`, which is less than P -> (T, heads, D)
 */
export const rope: Op<[x: Tensor, cos: Tensor, sin: Tensor, start: number], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'text_generation.rope',
    budget: { nmse: 1e-5 },
    reference: (x: Tensor, cos: Tensor, sin: Tensor, start: number): Tensor => {
      checkShapes(x, cos, sin, start)
      const [tokens, heads, headDim] = x.shape as [number, number, number]
      const half = headDim / 2
      const round = rounder(floatDType(x, 'rope'))
      const values = hostFloat32(x)
      const cosines = hostFloat32(cos.narrow(0, start, tokens))
      const sines = hostFloat32(sin.narrow(0, start, tokens))
      const out = new Float32Array(values.length)
      for (let row = 0; row < tokens * heads; row++) {
        const angle = Math.floor(row / heads) * half
        const first = row * headDim
        for (let i = 0; i < half; i++) {
          const a = values[first + i] as number
          const b = values[first + half + i] as number
          const c = cosines[angle + i] as number
          const s = sines[angle + i] as number
          out[first + i] = round(a * c) - round(b * s)
          out[first + half + i] = round(b * c) + round(a * s)
        }
      }
      return fromFloat32(out, x.shape, x.dtype)
    },
    meta: (x: Tensor, cos: Tensor, sin: Tensor, start: number): Tensor => {
      checkShapes(x, cos, sin, start)
      return zeros(x.shape, x.dtype, x.device)
    },
  })

function checkShapes(x: Tensor, cos: Tensor, sin: Tensor, start: number): void {
  const [tokens = 0, , headDim = 0] = x.shape
  const [positions = 0, half = 0] = cos.shape
  const fits = x.ndim === 3 && half * 2 === headDim && start >= 0 && start + tokens <= positions
  if (fits && cos.shape.join() === sin.shape.join()) return
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: `x of shape [T, heads, D], cos and sin of shape [P, D/2] with P >= ${start} + T`,
    got: `[${x.shape.join(', ')}], [${cos.shape.join(', ')}] and [${sin.shape.join(', ')}]`,
  })
}
