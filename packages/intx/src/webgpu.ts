/** @file Weights of 1 to 8 bits on the GPU: their words, and products with them. */

import { finfo, type FloatDType, type Tensor } from '@ao/base-tensor'
import { kernel, type GPU, type KernelSet, type Variant } from '@ao/kernels-webgpu'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import {
  bitsDecoder,
  floatMatrices,
  INT8_TUNING,
  int4Decoder,
  int8Decoder,
  int8InputAsFloats,
  int8LinearVariants,
  int8Programs,
  linearPrograms,
  linearVariants,
  quantizeInput,
  SIGNED_CODES,
  type Int8Call,
  type Int8Tuning,
  type LinearProduct,
  type LinearTuningOptions,
  type StoredWeight,
  type WeightDecoder,
} from '@ao/quantized-linear/webgpu'
import { activationRule, type IntxActivation } from './activations.ts'
import { PACKAGE } from './layout.ts'
import {
  intxDynamicLinear,
  intxLinear,
  sizeOf,
  type IntxForm,
  type IntxWeight,
} from './linear-ops.ts'
import { packKernels } from './webgpu/pack.ts'
import level from './webgpu/level.wgsl'
import qparams from './webgpu/qparams.wgsl'

const parts = ['scale', 'zero'] as const

/** How codes of a byte, of four bits, and of other numbers of bits are read. */
const DECODERS: Readonly<Record<'bytes' | 'nibbles' | 'bits', WeightDecoder>> = {
  bytes: /* @__PURE__ */ int8Decoder({ name: 'intx_bytes', parts, wgsl: qparams }),
  nibbles: /* @__PURE__ */ int4Decoder({
    ...{ name: 'intx_int4', order: 'sequential', parts, wgsl: qparams },
  }),
  // How many bits, a weight says.
  bits: /* @__PURE__ */ bitsDecoder({
    ...{ name: 'intx_bits', bits: 1, along: 'K', parts, wgsl: level + qparams },
  }),
}

type Reader = keyof typeof DECODERS

function readerOf([codes]: IntxWeight, { bits }: IntxForm): Reader {
  if (codes.dtype === 'int8') return 'bytes'
  return bits === 4 ? 'nibbles' : 'bits'
}

const DEFINES = {
  bytes: () => undefined,
  nibbles: () => SIGNED_CODES,
  bits: (bits: number) => ({ BITS: bits, STRADDLES: 32 % bits !== 0 }),
} as const

function stored(weight: IntxWeight, form: IntxForm): StoredWeight {
  const [codes, scale, zero] = weight
  const [n, k] = sizeOf(weight, form)
  const defines = DEFINES[readerOf(weight, form)](form.bits)
  return {
    ...{ n, k, groupSize: k / (scale.shape[1] as number), parts: { scale, zero, codes } },
    rowBytes: codes.nbytes / n,
    ...(defines && { defines }),
  }
}

type LinearArgs = Parameters<typeof intxLinear>
type DynamicArgs = Parameters<typeof intxDynamicLinear>

/** `variants` for the weights that `reader` reads. */
function read<Args extends readonly [Tensor, IntxWeight, IntxForm, ...(readonly unknown[])]>(
  reader: Reader,
  variants: readonly Variant<Args, Tensor>[],
): Variant<Args, Tensor>[] {
  return variants.map((variant) => ({
    ...variant,
    fits: (gpu: GPU, ...args: Args) =>
      args[1][0].numel > 0 &&
      readerOf(args[1], args[2]) === reader &&
      variant.fits?.(gpu, ...args) !== false,
  }))
}

const productOf = (...[x, weight, form, bias]: LinearArgs): LinearProduct => ({
  ...{ x, weight: stored(weight, form), bias },
})

function callOf(...[x, weight, form, activation, bias]: DynamicArgs): Int8Call {
  const isAsymmetric = activationRule(activation).mappingType === 'ASYMMETRIC'
  return {
    ...{ x, weight: stored(weight, form), isAsymmetric },
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
  const all = (Object.keys(DECODERS) as Reader[]).map((reader) => {
    const decoder = DECODERS[reader]
    const programs = linearPrograms(decoder)
    const ofProduct = linearVariants(programs, (own: LinearProduct) => own, tuning, matrices)
    const asFloats = int8InputAsFloats<DynamicArgs>(ofProduct, callOf)
    const codes = int8LinearVariants(int8Programs(decoder, { ...INT8_TUNING, ...int8 }), callOf)
    return {
      floats: read(reader, linearVariants(programs, productOf, tuning, matrices)),
      dynamic: read<DynamicArgs>(reader, [...codes, asFloats]),
    }
  })
  return [
    ...affineKernels,
    ...packKernels,
    kernel(
      intxLinear,
      all.flatMap(({ floats }) => floats),
    ),
    kernel(
      intxDynamicLinear,
      all.flatMap(({ dynamic }) => dynamic),
    ),
  ]
}

/** Kernels for {@link IntxUnpackedToInt8Tensor}, for `WebGPUDevice.create({ kernels })`. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ intxKernels()
