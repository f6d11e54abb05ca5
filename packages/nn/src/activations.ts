/**
 * @file Elementwise activations. References compute in double precision and round once to the input's
 * dtype, as PyTorch computes bfloat16 and float16 in float32.
 */

import { defineOp, fromFloat32, hostFloat32, zeros, type Op, type Tensor } from '@ao/base-tensor'
import { erf } from './erf.ts'

function activation(name: string, compute: (value: number) => number): Op<[input: Tensor], Tensor> {
  return defineOp({
    name,
    takes: 't',
    budget: { nmse: 1e-6 },
    reference: (input: Tensor): Tensor => {
      const values = hostFloat32(input)
      const out = new Float32Array(values.length)
      for (let i = 0; i < out.length; i++) out[i] = compute(values[i] as number)
      return fromFloat32(out, input.shape, input.dtype)
    },
    meta: (input: Tensor): Tensor => zeros(input.shape, input.dtype, input.device),
  })
}

/** `max(x, 0)`; NaN stays NaN. */
export const relu: Op<[input: Tensor], Tensor> = /* @__PURE__ */ activation('relu', (x) =>
  x < 0 ? 0 : x,
)

/** `x * sigmoid(x)`, also called swish. */
export const silu: Op<[input: Tensor], Tensor> = /* @__PURE__ */ activation(
  'silu',
  (x) => x / (1 + Math.exp(-x)),
)

/** `x * Phi(x)`, with the normal distribution's exact `Phi`: PyTorch's `gelu(x)`. */
export const gelu: Op<[input: Tensor], Tensor> = /* @__PURE__ */ activation(
  'gelu',
  (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
)

/** {@link gelu} by its tanh approximation: PyTorch's `gelu(x, approximate='tanh')`. */
export const geluTanh: Op<[input: Tensor], Tensor> = /* @__PURE__ */ activation(
  'geluTanh',
  (x) => 0.5 * x * (1 + Math.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x))),
)

const SQRT_2_OVER_PI = 0.7978845608028654
