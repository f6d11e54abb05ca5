/** @file The gate of gpt-oss's experts. */

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
import { floatDType } from '@ao/text-generation'

/** What {@link clampedGate} is computed with. */
export interface ClampedGateOptions {
  /** Gates above it, and ups beyond it on either side, are cut. */
  readonly limit: number
  /** What a gate is multiplied by within its sigmoid. */
  readonly alpha: number
}

/**
 * `(up + 1) * gate * sigmoid(alpha * gate)`, with gates up to `limit` and ups from `-limit` to `limit`; gates
 * and ups take turns. Each step rounds to the input's dtype.
 *
 * `gateUp` (..., 2 I) -> (..., I)
 */
export const clampedGate: Op<[gateUp: Tensor, options: ClampedGateOptions], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'causal_lm.clampedGate',
    takes: 'to<limit:n alpha:n>',
    budget: { nmse: 1e-6 },
    reference: (gateUp: Tensor, { limit, alpha }: ClampedGateOptions): Tensor => {
      const shape = checkGate(gateUp)
      const round = rounder(floatDType(gateUp, 'clampedGate'))
      const values = hostFloat32(gateUp)
      const out = new Float32Array(values.length / 2)
      for (let i = 0; i < out.length; i++) {
        const gate = Math.min(values[2 * i] as number, limit)
        const up = Math.min(Math.max(values[2 * i + 1] as number, -limit), limit)
        const sigmoid = round(1 / (1 + Math.exp(-round(gate * alpha))))
        out[i] = round(up + 1) * round(gate * sigmoid)
      }
      return fromFloat32(out, shape, gateUp.dtype)
    },
    meta: (gateUp: Tensor): Tensor => zeros(checkGate(gateUp), gateUp.dtype, gateUp.device),
  })

/** @throws {@link ShapeError} unless gates and ups are in pairs */
function checkGate(gateUp: Tensor): number[] {
  floatDType(gateUp, 'clampedGate')
  const size = gateUp.shape.at(-1)
  if (size !== undefined && size % 2 === 0) return [...gateUp.shape.slice(0, -1), size / 2]
  throw new ShapeError({
    package: '@ao/causal-lm',
    expected: 'gates and ups in turns, [..., 2 I]',
    got: `[${gateUp.shape.join(', ')}]`,
  })
}
