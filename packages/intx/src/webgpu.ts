/** @file Weights of 1 to 8 bits on the GPU: products whose inputs are quantized. */

import { finfo, type FloatDType, type Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import {
  bitsKernels,
  bitsReaders,
  floatMatrices,
  INT8_TUNING,
  int8InputAsFloats,
  int8LinearVariants,
  int8Programs,
  linearVariants,
  quantizeInput,
  storedBits,
  type Int8Call,
  type Int8Tuning,
  type LinearProduct,
  type LinearTuningOptions,
} from '@ao/quantized-linear/webgpu'
import { activationRule, type IntxActivation } from './activations.ts'
import { PACKAGE } from './layout.ts'
import { intxDynamicLinear } from './linear-ops.ts'

type DynamicArgs = Parameters<typeof intxDynamicLinear>

function callOf(...[x, weight, form, activation, bias]: DynamicArgs): Int8Call {
  const isAsymmetric = activationRule(activation).mappingType === 'ASYMMETRIC'
  return {
    ...{ x, weight: storedBits(weight, form), isAsymmetric },
    product: (gpu) => ({
      input: quantizeInput(gpu, x, inputRule(x, activation), undefined, PACKAGE),
      ...{ bias, outDtype: x.dtype as FloatDType },
    }),
  }
}

function inputRule(x: Tensor, activation: IntxActivation): Parameters<typeof quantizeInput>[2] {
  const { scaleDtype = x.dtype as FloatDType, eps, ...rule } = activationRule(activation)
  const smallest = eps ?? finfo(x.dtype as FloatDType).smallestNormal
  return { granularity: { type: 'PerRow' }, scaleDtype, eps: smallest, ...rule }
}

/** Kernels of this package's ops, and of those that quantize a weight on the GPU, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function intxKernels(tuning?: LinearTuningOptions, int8?: Partial<Int8Tuning>): KernelSet {
  const matrices = floatMatrices()
  const dynamic = bitsReaders().flatMap(({ programs, only }) => {
    const ofProduct = linearVariants(programs, (own: LinearProduct) => own, tuning, matrices)
    const codes = int8Programs(programs.decoder, { ...INT8_TUNING, ...int8 })
    const asFloats = int8InputAsFloats<DynamicArgs>(ofProduct, callOf)
    return only<DynamicArgs>([...int8LinearVariants(codes, callOf), asFloats])
  })
  return [...affineKernels, ...bitsKernels(tuning), kernel(intxDynamicLinear, dynamic)]
}

/** Kernels for {@link IntxUnpackedToInt8Tensor}, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ intxKernels()
