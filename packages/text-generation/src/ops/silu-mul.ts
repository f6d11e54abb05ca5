/** @file The gate of Llama's MLP: `silu(gate) * up` in one op. */

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
 * `silu(gate) * up`, elementwise; rounds `silu(gate)` and the product to `gate`'s dtype.
 *
 * `gate`, `up` (...) -> (...)
 */
export const siluMul: Op<[gate: Tensor, up: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'text_generation.siluMul',
  budget: { nmse: 1e-5 },
  reference: (gate: Tensor, up: Tensor): Tensor => {
    checkShapes(gate, up)
    const round = rounder(floatDType(gate, 'siluMul'))
    const g = hostFloat32(gate)
    const u = hostFloat32(up)
    const out = new Float32Array(g.length)
    for (let i = 0; i < out.length; i++) {
      const x = g[i] as number
      out[i] = round(x / (1 + Math.exp(-x))) * (u[i] as number)
    }
    return fromFloat32(out, gate.shape, gate.dtype)
  },
  meta: (gate: Tensor, up: Tensor): Tensor => {
    checkShapes(gate, up)
    return zeros(gate.shape, gate.dtype, gate.device)
  },
})

function checkShapes(gate: Tensor, up: Tensor): void {
  if (gate.shape.join() === up.shape.join() && gate.dtype === up.dtype) return
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: 'gate and up of one shape and dtype',
    got: `${String(gate)} and ${String(up)}`,
  })
}
