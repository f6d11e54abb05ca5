/**
 * @file The products with stored weights, as ops that devices bring kernels for.
 *
 * Sums are of dequantized weights, rounded to the weight's dtype as torchao does; kernels, which keep them in
 * float32, differ by that rounding.
 */

import {
  addBiasThenRound,
  defineOp,
  hostFloat32,
  linearShape,
  numelOf,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { checkFloat, weightSums, type CodedWeight } from '@ao/quantized-linear'
import { fakeQuantizeActivation, type IntxActivation } from './activations.ts'
import { PACKAGE } from './layout.ts'
import { unpackIntx } from './pack.ts'

/** The stored parts of a weight (N, K): `qdata` of int8 or in words, `scale` and `zeroPoint` (N, K / g). */
export type IntxWeight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

/** What the parts do not say. */
export interface IntxForm {
  /** Of a code. */
  readonly bits: number
  /** That of the weight. */
  readonly dtype: FloatDType
}

type LinearArgs = [x: Tensor, weight: IntxWeight, form: IntxForm, bias?: Tensor | undefined]
type DynamicArgs = [
  x: Tensor,
  weight: IntxWeight,
  form: IntxForm,
  activation: IntxActivation,
  bias?: Tensor | undefined,
]

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const intxLinear: Op<LinearArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'intx.linear',
  takes: 'tp<0 1 2>o<bits:n dtype:z>t?',
  budget: { nmse: 1e-5 },
  reference: (x: Tensor, weight: IntxWeight, form: IntxForm, bias?: Tensor): Tensor =>
    product(x, x, weight, form, bias),
  meta: (x, weight, form) => shapeOnly(x, weight, form),
})

/** {@link intxLinear} of an `x` whose rows are quantized first, by scales chosen from their values. */
export const intxDynamicLinear: Op<DynamicArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'intx.dynamicLinear',
  takes: 'tp<0 1 2>o<bits:n dtype:z>xt?',
  // Wide enough for kernels that round neither the weight nor what the input's codes stand for.
  budget: { nmse: 4e-5 },
  reference: (...[x, weight, form, activation, bias]: DynamicArgs): Tensor =>
    numelOf(x.shape.slice(0, -1)) === 0
      ? shapeOnly(x, weight, form)
      : product(x, fakeQuantizeActivation(x, activation), weight, form, bias),
  meta: (x, weight, form) => shapeOnly(x, weight, form),
})

/** The product with `input`, which stands for `x`. */
function product(
  x: Tensor,
  input: Tensor,
  weight: IntxWeight,
  form: IntxForm,
  bias: Tensor | undefined,
): Tensor {
  checkFloat(x)
  const shape = outputShape(x, weight, form)
  const sums = weightSums(hostFloat32(input), codedWeight(weight, form), form.dtype)
  return addBiasThenRound(sums, shape, x.dtype, bias)
}

function codedWeight([qdata, scale, zeroPoint]: IntxWeight, { bits }: IntxForm): CodedWeight {
  return [qdata.dtype === 'int32' ? unpackIntx(qdata, bits) : qdata, scale, zeroPoint]
}

/** (N, K) of a weight. */
export function sizeOf([qdata]: IntxWeight, { bits }: IntxForm): readonly [n: number, k: number] {
  const [n, elements] = qdata.shape as [number, number]
  return [n, qdata.dtype === 'int32' ? (elements * 32) / bits : elements]
}

function outputShape(x: Tensor, weight: IntxWeight, form: IntxForm): number[] {
  return linearShape(x, { shape: sizeOf(weight, form) }, PACKAGE)
}

function shapeOnly(x: Tensor, weight: IntxWeight, form: IntxForm): Tensor {
  return zeros(outputShape(x, weight, form), x.dtype, x.device)
}
