/** @file The product with stored weights whose inputs are quantized first, as an op that devices bring kernels for. */

import { defineOp, numelOf, type Op, type Tensor } from '@ao/base-tensor'
import { bitsOutput, bitsProduct, type BitsForm, type BitsWeight } from '@ao/quantized-linear'
import { fakeQuantizeActivation, type IntxActivation } from './activations.ts'

type DynamicArgs = [
  x: Tensor,
  weight: BitsWeight,
  form: BitsForm,
  activation: IntxActivation,
  bias?: Tensor | undefined,
]

/** {@link bitsLinear} of an `x` whose rows are quantized first, by scales chosen from their values. */
export const intxDynamicLinear: Op<DynamicArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'intx.dynamicLinear',
  takes: 'tp<0 1 2>o<bits:n dtype:z>xt?',
  // Wide enough for kernels that round neither the weight nor what the input's codes stand for.
  budget: { nmse: 4e-5 },
  reference: (...[x, weight, form, activation, bias]: DynamicArgs): Tensor =>
    numelOf(x.shape.slice(0, -1)) === 0
      ? bitsOutput(x, weight, form)
      : bitsProduct(x, fakeQuantizeActivation(x, activation), weight, form, bias),
  meta: (x, weight, form) => bitsOutput(x, weight, form),
})
