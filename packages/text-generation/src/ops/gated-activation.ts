/** @file The gate of an MLP, such as SwiGLU and GeGLU: `activation(gate) * up` in one op. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  ShapeError,
  ValueError,
  type Op,
  type Tensor,
  zeros,
} from '@ao/base-tensor'
import { gelu, geluTanh, silu } from '@ao/nn'
import { floatDType } from '../float-dtype.ts'

/** Activations of gates: `gelu_tanh` is transformers' `gelu_pytorch_tanh`. */
export type GateActivation = 'silu' | 'gelu' | 'gelu_tanh'

const ACTIVATIONS: Readonly<Record<GateActivation, Op<[input: Tensor], Tensor>>> = {
  silu,
  gelu,
  gelu_tanh: geluTanh,
}

/**
 * `activation(gate) * up`, elementwise; rounds `activation(gate)` and the product to `gate`'s dtype.
 *
 * `gate`, `up` (...) -> (...)
 */
export const gatedActivation: Op<[gate: Tensor, up: Tensor, activation: GateActivation], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'text_generation.gatedActivation',
    takes: 'ttx',
    budget: { nmse: 1e-5 },
    reference: (gate: Tensor, up: Tensor, activation: GateActivation): Tensor => {
      checkGate(gate, up, activation)
      const activated = hostFloat32(ACTIVATIONS[activation].reference(gate))
      const factors = hostFloat32(up)
      const out = new Float32Array(activated.length)
      for (let i = 0; i < out.length; i++) {
        out[i] = (activated[i] as number) * (factors[i] as number)
      }
      return fromFloat32(out, gate.shape, gate.dtype)
    },
    meta: (gate: Tensor, up: Tensor, activation: GateActivation): Tensor => {
      checkGate(gate, up, activation)
      return zeros(gate.shape, gate.dtype, gate.device)
    },
  })

function checkGate(gate: Tensor, up: Tensor, activation: GateActivation): void {
  floatDType(gate, 'gatedActivation')
  if (!Object.hasOwn(ACTIVATIONS, activation)) {
    throw new ValueError({
      package: '@ao/text-generation',
      expected: `an activation of ${Object.keys(ACTIVATIONS).join(', ')}`,
      got: String(activation),
    })
  }
  if (gate.shape.join() === up.shape.join() && gate.dtype === up.dtype) return
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: 'gate and up of one shape and dtype',
    got: `${String(gate)} and ${String(up)}`,
  })
}
