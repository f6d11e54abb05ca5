/** @file The kernels of this package's ops. */

import { isFloatDType, linearShape, promote, type FloatDType, type Tensor } from '@ao/base-tensor'
import { floatInput, kernel, type GPU, type KernelSet } from '@ao/kernels-webgpu'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import {
  dynamicLinear,
  groupwiseLinear,
  staticLinear,
  weightOnlyLinear,
  type Int8ActivationQparams,
} from '../linear-ops.ts'
import type { Int8Weight } from '../products.ts'
import type { QuantizeTensorToInt8Kwargs } from '../quantize-kwargs.ts'
import { quantizeTokens } from './activations.ts'
import { methods, multiply, tokenCount, type Method } from './products.ts'
import { INT8_TUNING, type Int8Tuning } from './tuning.ts'
import { takesWeight, TAKES } from './weight.ts'

/** The variants of an op: one for each method. */
function byMethods<Rest extends readonly unknown[]>(
  tuning: Int8Tuning,
  run: (gpu: GPU, method: Method, x: Tensor, weight: Int8Weight, ...rest: Rest) => Tensor,
): Parameters<typeof kernel<[Tensor, Int8Weight, ...Rest], Tensor>>[1] {
  return methods(tuning).map((method) => ({
    name: method.name,
    when: `${method.when}; ${TAKES}`,
    fits: (gpu: GPU, ...[x, weight]: [Tensor, Int8Weight, ...Rest]) =>
      isFloatDType(x.dtype) && takesWeight(weight) && method.fits(gpu, tokenCount(x), weight),
    run: (gpu: GPU, x: Tensor, weight: Int8Weight, ...rest: Rest) =>
      gpu.scope(() => run(gpu, method, x, weight, ...rest)),
  }))
}

function multiplyNumbers(
  gpu: GPU,
  method: Method,
  x: Tensor,
  weight: Int8Weight,
  bias: Tensor | undefined,
): Tensor {
  const outDtype = x.dtype as FloatDType
  return multiply(gpu, method, {
    tokens: { x: floatInput(gpu, x), count: tokenCount(x) },
    weight,
    bias,
    outDtype,
    shape: linearShape(x, weight[0]),
    roundings: { PRODUCT: outDtype },
  })
}

function multiplyCodes(
  gpu: GPU,
  method: Method,
  x: Tensor,
  weight: Int8Weight,
  bias: Tensor | undefined,
  activation: QuantizeTensorToInt8Kwargs,
  outDtype: FloatDType,
  known?: Int8ActivationQparams,
): Tensor {
  const shape = linearShape(x, weight[0])
  const { tokens, scaleDtype } = quantizeTokens(gpu, x, activation, known)
  return multiply(gpu, method, {
    ...{ tokens, weight, bias, outDtype, shape },
    roundings: {
      // float16 cannot hold the sums.
      SUM: scaleDtype === 'float16' ? 'float32' : scaleDtype,
      TOKEN: outDtype,
      PRODUCT: promote(outDtype, weight[1].dtype) as FloatDType,
    },
    isAsymmetric: activation.mappingType === 'ASYMMETRIC',
  })
}

/** Kernels of this package's ops, and of those that quantize a weight on the GPU. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int8Kernels()

/** {@link webgpuKernels} with some sizes replaced, to measure others. */
/* @__NO_SIDE_EFFECTS__ */
export function int8Kernels(options: Partial<Int8Tuning> = {}): KernelSet {
  const tuning = { ...INT8_TUNING, ...options }
  return [
    ...affineKernels,
    kernel(weightOnlyLinear, byMethods(tuning, multiplyNumbers)),
    kernel(groupwiseLinear, byMethods(tuning, multiplyNumbers)),
    kernel(dynamicLinear, byMethods(tuning, multiplyCodes)),
    kernel(
      staticLinear,
      byMethods(tuning, (gpu, method, x, weight, bias, activation, qparams, outDtype) =>
        multiplyCodes(gpu, method, x, weight, bias, activation, outDtype, qparams),
      ),
    ),
  ]
}
