/**
 * @file The product with codes of a few bits, as an op that devices bring kernels for.
 *
 * Sums are of dequantized weights, rounded to the weight's dtype as torchao does; kernels, which keep them in
 * float32, differ by that rounding.
 */

import {
  addBiasThenRound,
  defineOp,
  hostFloat32,
  linearShape,
  takes,
  zeros,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { weightSums } from '../coded-products.ts'
import { checkFloat } from '../int8-codes.ts'
import { unpackBits } from './pack.ts'

/** The parts of a weight (N, K): `qdata` of int8 or in words, `scale` and `zeroPoint` (N, K / g). */
export type BitsWeight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

/** What the parts do not say. */
export interface BitsForm {
  /** Of a code. */
  readonly bits: number
  /** Whether codes are in two's complement; they are from 0 on otherwise. */
  readonly isSigned: boolean
  /** That of the weight. */
  readonly dtype: FloatDType
}

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const bitsLinear: Op<
  [x: Tensor, weight: BitsWeight, form: BitsForm, bias?: Tensor | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.bitsLinear',
  takes: 'tp<0 1 2>o<bits:n dtype:z>t?',
  budget: { nmse: 1e-5 },
  reference: (x: Tensor, weight: BitsWeight, form: BitsForm, bias?: Tensor): Tensor =>
    bitsProduct(x, x, weight, form, bias),
  meta: (x, weight, form) => bitsOutput(x, weight, form),
})

/**
 * The product of {@link bitsLinear}, on the CPU.
 *
 * @param input - what stands for `x`: its values after they were quantized
 */
export function bitsProduct(
  x: Tensor,
  input: Tensor,
  weight: BitsWeight,
  form: BitsForm,
  bias: Tensor | undefined,
): Tensor {
  takes('ttp<0 1 2>o<bits:n dtype:z>t?', x, input, weight, form, bias)
  checkFloat(x)
  const shape = linearShape(x, { shape: bitsSize(weight, form) })
  const [qdata, scale, zeroPoint] = weight
  const codes = qdata.dtype === 'int32' ? unpackBits(qdata, form.bits, form.isSigned) : qdata
  const sums = weightSums(hostFloat32(input), [codes, scale, zeroPoint], form.dtype)
  return addBiasThenRound(sums, shape, x.dtype, bias)
}

/** (N, K) of a weight. */
export function bitsSize(
  [qdata]: BitsWeight,
  { bits }: Pick<BitsForm, 'bits'>,
): readonly [n: number, k: number] {
  const [n, elements] = qdata.shape as [number, number]
  return [n, qdata.dtype === 'int32' ? (elements * 32) / bits : elements]
}

/** Zeros in the shape and dtype of a product. */
export function bitsOutput(x: Tensor, weight: BitsWeight, form: BitsForm): Tensor {
  takes('tp<0 1 2>o<bits:n>', x, weight, form)
  return zeros(linearShape(x, { shape: bitsSize(weight, form) }), x.dtype, x.device)
}
