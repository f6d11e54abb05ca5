/** @file The kernels of this package's ops. */

import { isFloatDType, linearShape, type FloatDType, type Tensor } from '@ao/base-tensor'
import { floatInput, kernel, type GPU, type KernelSet } from '@ao/kernels-webgpu'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import { quantizeInput } from '@ao/quantized-linear/webgpu'
import { PACKAGE } from '../errors.ts'
import {
  dynamicLinear,
  groupwiseLinear,
  staticLinear,
  weightOnlyLinear,
  type Int8ActivationQparams,
} from '../linear-ops.ts'
import type { Int8Weight } from '../linear-ops.ts'
import type { QuantizeTensorToInt8Kwargs } from '../quantize-kwargs.ts'
import { methods, multiply, tokenCount, type Method, type Problem } from './products.ts'
import { INT8_TUNING, type Int8Tuning } from './tuning.ts'
import { takesWeight, TAKES } from './weight.ts'

type Bias = Tensor | undefined
type Activation = QuantizeTensorToInt8Kwargs

/** The variants of an op: one for each method. */
function byMethods<Rest extends readonly unknown[]>(
  all: readonly Method[],
  activationOf: (...rest: Rest) => Activation | undefined,
  run: (gpu: GPU, method: Method, x: Tensor, weight: Int8Weight, ...rest: Rest) => Tensor,
): Parameters<typeof kernel<[Tensor, Int8Weight, ...Rest], Tensor>>[1] {
  return all.map((method) => ({
    name: method.name,
    when: `${method.when}; ${TAKES}`,
    fits: (gpu: GPU, ...[x, weight, ...rest]: [Tensor, Int8Weight, ...Rest]) =>
      isFloatDType(x.dtype) &&
      takesWeight(weight) &&
      method.fits(gpu.capabilities, problemOf(x, weight, activationOf(...rest))),
    run: (gpu: GPU, x: Tensor, weight: Int8Weight, ...rest: Rest) =>
      gpu.scope(() => run(gpu, method, x, weight, ...rest)),
  }))
}

function problemOf(
  x: Tensor,
  [qdata, scale]: Int8Weight,
  activation: Activation | undefined,
): Problem {
  const [n, k] = qdata.shape as [number, number]
  const group = k / (scale.shape[1] as number)
  return { m: tokenCount(x), n, k, group, dtype: x.dtype, activation }
}

function multiplyNumbers(
  gpu: GPU,
  method: Method,
  x: Tensor,
  weight: Int8Weight,
  bias: Bias,
): Tensor {
  const outDtype = x.dtype as FloatDType
  return multiply(gpu, method, {
    tokens: { x: floatInput(gpu, x), count: tokenCount(x) },
    weight,
    bias,
    outDtype,
    shape: linearShape(x, weight[0]),
  })
}

function multiplyCodes(
  gpu: GPU,
  method: Method,
  x: Tensor,
  weight: Int8Weight,
  bias: Bias,
  activation: Activation,
  outDtype: FloatDType,
  known?: Int8ActivationQparams,
): Tensor {
  const shape = linearShape(x, weight[0])
  const { codes, tokens: qparams } = quantizeInput(gpu, x, activation, known, PACKAGE)
  const tokens = { x: codes, qparams, count: tokenCount(x) }
  return multiply(gpu, method, {
    ...{ tokens, weight, bias, outDtype, shape },
    isAsymmetric: activation.mappingType === 'ASYMMETRIC',
  })
}

/** Kernels of this package's ops, and of those that quantize a weight on the GPU. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int8Kernels()

/** What {@link int8Kernels} can do otherwise. */
export interface Int8KernelOptions {
  /** Sizes to replace. */
  readonly tuning?: Partial<Int8Tuning>
  /** Methods to try first, such as {@link subgroupMatrices}. */
  readonly methods?: readonly Method[]
}

/** {@link webgpuKernels} with other sizes, or more methods. */
/* @__NO_SIDE_EFFECTS__ */
export function int8Kernels(options?: Int8KernelOptions): KernelSet {
  return [...affineKernels, ...int8LinearKernels(options)]
}

/** Kernels of products alone, for weights that were quantized before they came to the GPU. */
/* @__NO_SIDE_EFFECTS__ */
export function int8LinearKernels(options: Int8KernelOptions = {}): KernelSet {
  const all = [...(options.methods ?? []), ...methods({ ...INT8_TUNING, ...options.tuning })]
  const ofNumbers = byMethods<[Bias]>(all, () => undefined, multiplyNumbers)
  return [
    kernel(weightOnlyLinear, ofNumbers),
    kernel(groupwiseLinear, ofNumbers),
    kernel(
      dynamicLinear,
      byMethods<[Bias, Activation, FloatDType]>(all, (_bias, kwargs) => kwargs, multiplyCodes),
    ),
    kernel(
      staticLinear,
      byMethods<[Bias, Activation, Int8ActivationQparams, FloatDType]>(
        all,
        (_bias, kwargs) => kwargs,
        (gpu, method, x, weight, bias, kwargs, qparams, outDtype) =>
          multiplyCodes(gpu, method, x, weight, bias, kwargs, outDtype, qparams),
      ),
    ),
  ]
}
