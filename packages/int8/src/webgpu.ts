/** @file Int8 weights on the GPU: quantizing them, and their products. */

import { isFloatDType, type FloatDType, type Tensor } from '@ao/base-tensor'
import { kernel, type GPU, type KernelSet, type Variant } from '@ao/kernels-webgpu'
import type { MatrixTuning } from '@ao/kernels-webgpu/matrices'
import { affineKernels } from '@ao/quant-primitives/webgpu'
import type { QuantizeTensorToInt8Kwargs } from '@ao/quantized-linear'
import {
  floatMatrices,
  int8Decoder,
  int8LinearVariants,
  int8Matrices,
  int8Programs,
  INT8_MATRIX_SIDE,
  INT8_MATRIX_TUNING,
  INT8_TUNING,
  linearPrograms,
  linearVariants,
  quantizeInput,
  type Int8Call,
  type Int8Programs,
  type Int8Tuning,
  type Int8Variant,
  type LinearProduct,
  type LinearPrograms,
  type LinearTuningOptions,
  type MoreVariants,
  type StoredWeight,
  type WeightDecoder,
} from '@ao/quantized-linear/webgpu'
import { PACKAGE } from './errors.ts'
import {
  dynamicLinear,
  groupwiseLinear,
  staticLinear,
  weightOnlyLinear,
  type Int8ActivationQparams,
  type Int8Weight,
} from './linear-ops.ts'
import qparams from './webgpu/qparams.wgsl'

const decoder: WeightDecoder = /* @__PURE__ */ int8Decoder({
  name: 'int8',
  parts: ['scale', 'zero'],
  wgsl: qparams,
})
const floats: LinearPrograms = /* @__PURE__ */ linearPrograms(decoder)

/** A thread takes 16 codes of each of four rows at a time. */
const FLOATS_TUNING: LinearTuningOptions = { gemv: { minLanes: 64 }, matrix: INT8_MATRIX_TUNING }

function stored([codes, scale, zero]: Int8Weight): StoredWeight {
  const [n, k] = codes.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  return {
    ...{ n, k, groupSize: k / groups, parts: { scale, zero, codes }, rowBytes: k },
    isSymmetric: !zero,
    defines: { SCALE_ROWS: n / rowBlocks },
  }
}

/** What kernels take: int8 codes with floating scales, and zero points of int8 if any. */
function isTaken([codes, scale, zero]: Int8Weight): boolean {
  const isInt8 = codes.dtype === 'int8' && (zero?.dtype ?? 'int8') === 'int8'
  return isInt8 && isFloatDType(scale.dtype) && codes.numel > 0
}

type Args = readonly [x: Tensor, weight: Int8Weight, ...rest: never]

/** `variants` for the weights that kernels take. */
function ofTaken<Own extends Args>(variants: Variant<Own, Tensor>[]): Variant<Own, Tensor>[] {
  return variants.map((variant) => ({
    ...variant,
    fits: (gpu: GPU, ...args: Own) => isTaken(args[1]) && variant.fits?.(gpu, ...args) !== false,
  }))
}

/** Products by matrices of subgroups, for {@link Int8KernelOptions.matrices}. */
export interface SubgroupMatrices {
  readonly floats: MoreVariants
  readonly int8: (programs: Int8Programs) => Int8Variant[]
}

/** Products by matrices of subgroups, where the GPU has them: of float16, and of symmetric codes. */
/* @__NO_SIDE_EFFECTS__ */
export function subgroupMatrices(tuning?: MatrixTuning): SubgroupMatrices {
  return { floats: floatMatrices(tuning, INT8_MATRIX_SIDE), int8: int8Matrices(tuning) }
}

/** What {@link int8Kernels} can do otherwise. */
export interface Int8KernelOptions {
  /** Sizes to replace. */
  readonly tuning?: Partial<Int8Tuning>
  /** Sizes for inputs that are not quantized. */
  readonly floats?: LinearTuningOptions
  /** {@link subgroupMatrices}. */
  readonly matrices?: SubgroupMatrices
}

/** Kernels of this package's ops, and of those that quantize a weight on the GPU. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ int8Kernels()

/** {@link webgpuKernels} with other sizes, or more variants. */
/* @__NO_SIDE_EFFECTS__ */
export function int8Kernels(options?: Int8KernelOptions): KernelSet {
  return [...affineKernels, ...int8LinearKernels(options)]
}

/** Kernels of products alone, for weights that were quantized before they came to the GPU. */
/* @__NO_SIDE_EFFECTS__ */
export function int8LinearKernels(options: Int8KernelOptions = {}): KernelSet {
  const { tuning, matrices } = options
  const programs = int8Programs(decoder, { ...INT8_TUNING, ...tuning })
  const productOf = (x: Tensor, weight: Int8Weight, bias?: Tensor): LinearProduct => ({
    x,
    weight: stored(weight),
    bias,
  })
  const ofFloats = ofTaken(
    linearVariants(floats, productOf, { ...FLOATS_TUNING, ...options.floats }, matrices?.floats),
  )
  return [
    kernel(weightOnlyLinear, ofFloats),
    kernel(groupwiseLinear, ofFloats as never),
    kernel(dynamicLinear, ofTaken(int8LinearVariants(programs, callOf, matrices?.int8))),
    kernel(
      staticLinear,
      ofTaken(
        int8LinearVariants(
          programs,
          (...[x, weight, bias, activation, known, outDtype]: StaticArgs) =>
            callOf(x, weight, bias, activation, outDtype, known),
          matrices?.int8,
        ),
      ),
    ),
  ]
}

type StaticArgs = [
  x: Tensor,
  weight: Int8Weight,
  bias: Tensor | undefined,
  activation: QuantizeTensorToInt8Kwargs,
  known: Int8ActivationQparams,
  outDtype: FloatDType,
]

function callOf(
  x: Tensor,
  weight: Int8Weight,
  bias: Tensor | undefined,
  activation: QuantizeTensorToInt8Kwargs,
  outDtype: FloatDType,
  known?: Int8ActivationQparams,
): Int8Call {
  return {
    x,
    weight: stored(weight),
    isAsymmetric: activation.mappingType === 'ASYMMETRIC',
    product: (gpu) => ({
      input: quantizeInput(gpu, x, activation, known, PACKAGE),
      bias,
      outDtype,
    }),
  }
}
