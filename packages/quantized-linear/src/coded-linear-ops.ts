/**
 * @file The products of an activation and a weight of int8 codes, as ops that a device can bring kernels for.
 *
 * There is one op for each way to multiply. Each takes dense tensors and does all of its way in one
 * call: quantizing the activation, the sums, scales, bias. Sums, scales and bias meet in float32, and the
 * result is rounded once. torchao rounds after each step, so its float16 sums can overflow where the result
 * would not; in float32 the bits are the same where sums are exact.
 */

import {
  addBias,
  defineOp,
  fromFloat32,
  hostFloat32,
  linearShape,
  reshape,
  zeros,
  type FloatDType,
  type Op,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { PerTensor } from '@ao/granularity'
import type { QuantizeTensorToInt8Kwargs } from './activations.ts'
import {
  codeSums,
  multiplyColumns,
  perRow,
  scaledSums,
  weightSums,
  type CodedWeight,
} from './coded-products.ts'
import { checkFloat, quantizeToInt8, type Int8Quantization } from './int8-codes.ts'

/** A static activation's scale and, for asymmetric mapping, zero point: one element, or one a token. */
export type Int8ActivationQparams = readonly [scale: Tensor, zeroPoint: Tensor | undefined]

const shapeOnly = (x: Tensor, [qdata]: CodedWeight, dtype: StoredDType): Tensor =>
  zeros(linearShape(x, qdata), dtype, x.device)

/**
 * `x @ weight^T + bias` with a scale for each row of the weight, or one for all; in `x`'s dtype.
 *
 * `x` (..., K), `bias` (N) -> (..., N)
 */
export const weightOnlyLinear: Op<
  [x: Tensor, weight: CodedWeight, bias?: Tensor | undefined],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.weightOnlyLinear',
  takes: 'tp<0 1>t?',
  budget: { nmse: 1e-6 },
  reference: (x: Tensor, weight: CodedWeight, bias?: Tensor): Tensor => {
    const dtype = checkFloat(x)
    const shape = linearShape(x, weight[0])
    const n = weight[0].shape[0] as number
    const out = codeSums(hostFloat32(x), weight)
    multiplyColumns(out, perRow(weight[1], n))
    if (bias) addBias(out, hostFloat32(bias), n)
    return fromFloat32(out, shape, dtype)
  },
  meta: (x, weight) => shapeOnly(x, weight, x.dtype),
})

/**
 * `x @ weight^T + bias` with scales for groups along K, or any blocks; in `x`'s dtype.
 *
 * `x` (..., K), scales (N / rows, K / groupSize), `bias` (N) -> (..., N)
 *
 * @param weightDtype - what the dequantized weight is rounded to
 */
export const groupwiseLinear: Op<
  [x: Tensor, weight: CodedWeight, bias: Tensor | undefined, weightDtype: FloatDType],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.groupwiseLinear',
  takes: 'tp<0 1>t?z',
  // Wide enough for kernels that keep the dequantized weight in float32.
  budget: { nmse: 1e-5 },
  reference: (
    x: Tensor,
    weight: CodedWeight,
    bias: Tensor | undefined,
    weightDtype: FloatDType,
  ): Tensor => {
    const dtype = checkFloat(x)
    const shape = linearShape(x, weight[0])
    const out = weightSums(hostFloat32(x), weight, weightDtype)
    if (bias) addBias(out, hostFloat32(bias), weight[0].shape[0] as number)
    return fromFloat32(out, shape, dtype)
  },
  meta: (x, weight) => shapeOnly(x, weight, x.dtype),
})

/**
 * `x @ weight^T + bias` with `x` quantized to int8 first, its scale chosen from its values.
 *
 * `x` (..., K), `bias` (N) -> (..., N) in `outDtype`
 */
export const dynamicLinear: Op<
  [
    x: Tensor,
    weight: CodedWeight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    outDtype: FloatDType,
  ],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.dynamicLinear',
  takes: 'tp<0 1>t?o<granularity mappingType:x reduceRange weightOnlyDecode>z',
  budget: { nmse: 1e-5 },
  reference: (
    x: Tensor,
    weight: CodedWeight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    outDtype: FloatDType,
  ): Tensor => activationLinear(x, weight, bias, activation, outDtype),
  meta: (x, weight, _bias, _activation, outDtype) => shapeOnly(x, weight, outDtype),
})

/**
 * {@link dynamicLinear} with a scale of `x` that was measured beforehand: one element for all tokens, or,
 * per row, one for each.
 */
export const staticLinear: Op<
  [
    x: Tensor,
    weight: CodedWeight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    qparams: Int8ActivationQparams,
    outDtype: FloatDType,
  ],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'quantized_linear.staticLinear',
  takes: 'tp<0 1>t?o<granularity mappingType:x reduceRange weightOnlyDecode>p<0>z',
  budget: { nmse: 1e-5 },
  reference: (
    x: Tensor,
    weight: CodedWeight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToInt8Kwargs,
    [scale, zeroPoint]: Int8ActivationQparams,
    outDtype: FloatDType,
  ): Tensor => {
    if (x.numel === 0) return shapeOnly(x, weight, outDtype)
    const known = {
      scale: asColumn(scale),
      zeroPoint: zeroPoint && asColumn(zeroPoint),
      ...(scale.numel === 1 && { granularity: PerTensor() }),
    }
    return activationLinear(x, weight, bias, { ...activation, ...known }, outDtype)
  },
  meta: (x, weight, _bias, _activation, _qparams, outDtype) => shapeOnly(x, weight, outDtype),
})

// One number for each token as a column (M, 1): what scales of activations refer to.
const asColumn = (qparam: Tensor): Tensor => reshape(qparam, [-1, 1])

/** The product of codes that are made of `x`, token by token. */
function activationLinear(
  x: Tensor,
  weight: CodedWeight,
  bias: Tensor | undefined,
  quantization: Int8Quantization,
  outDtype: FloatDType,
): Tensor {
  const shape = linearShape(x, weight[0])
  const codes = quantizeToInt8(reshape(x, [-1, x.shape.at(-1) as number]), quantization)
  const isAsymmetric = quantization.mappingType === 'ASYMMETRIC'
  return fromFloat32(scaledSums(codes, isAsymmetric, weight, bias), shape, outDtype)
}
