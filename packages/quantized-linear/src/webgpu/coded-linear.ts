/** @file Products with weights of int8 codes on the GPU. */

import { isFloatDType, takes, type FloatDType, type Tensor } from '@ao/base-tensor'
import { kernel, type GPU, type KernelSet, type Variant } from '@ao/kernels-webgpu'
import type { MatrixTuning } from '@ao/kernels-webgpu/matrices'
import type { QuantizeTensorToInt8Kwargs } from '../activations.ts'
import {
  dynamicLinear,
  groupwiseLinear,
  staticLinear,
  weightOnlyLinear,
  type Int8ActivationQparams,
} from '../coded-linear-ops.ts'
import type { CodedWeight } from '../coded-products.ts'
import {
  linearPrograms,
  type LinearPrograms,
  type StoredWeight,
  type WeightDecoder,
} from './decoder.ts'
import { quantizeInput } from './int8-activations.ts'
import {
  int8LinearVariants,
  int8Programs,
  type Int8Call,
  type Int8Programs,
  type Int8Variant,
} from './int8-linear.ts'
import { INT8_MATRIX_SIDE, int8Matrices } from './int8-matrices.ts'
import { int8Decoder } from './int8.ts'
import { linearVariants } from './linear.ts'
import { floatMatrices } from './matrices.ts'
import {
  INT8_MATRIX_TUNING,
  INT8_TUNING,
  type Int8Tuning,
  type LinearTuningOptions,
} from './tuning.ts'
import type { LinearProduct, MoreVariants } from './variants.ts'
import qparams from './wgsl/decode/int8-qparams.wgsl'

/** For errors: whose op it is that quantizes inputs. */
const PACKAGE = '@ao/quantized-linear'

const decoder: WeightDecoder = /* @__PURE__ */ int8Decoder({
  name: 'int8',
  parts: ['scale', 'zero'],
  wgsl: qparams,
})
const floats: LinearPrograms = /* @__PURE__ */ linearPrograms(decoder)

/** A thread takes 16 codes of each of four rows at a time. */
const FLOATS_TUNING: LinearTuningOptions = { gemv: { minLanes: 64 }, matrix: INT8_MATRIX_TUNING }

function stored([codes, scale, zero]: CodedWeight): StoredWeight {
  const [n, k] = codes.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  return {
    ...{ n, k, groupSize: k / groups, parts: { scale, zero, codes }, rowBytes: k },
    isSymmetric: !zero,
    defines: { SCALE_ROWS: n / rowBlocks },
  }
}

/** What kernels take: int8 codes with floating scales, and zero points of int8 if any. */
function isTaken([codes, scale, zero]: CodedWeight): boolean {
  const isInt8 = codes.dtype === 'int8' && (zero?.dtype ?? 'int8') === 'int8'
  return isInt8 && isFloatDType(scale.dtype) && codes.numel > 0
}

type Args = readonly [x: Tensor, weight: CodedWeight, ...rest: never]

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

/** What {@link int8LinearKernels} can do otherwise. */
export interface Int8KernelOptions {
  /** Sizes to replace. */
  readonly tuning?: Partial<Int8Tuning>
  /** Sizes for inputs that are not quantized. */
  readonly floats?: LinearTuningOptions
  /** {@link subgroupMatrices}. */
  readonly matrices?: SubgroupMatrices
  /** @deprecated the older name of `matrices` */
  readonly methods?: SubgroupMatrices
}

/** Kernels of products with weights of int8 codes: these may be quantized before they come to the GPU. */
/* @__NO_SIDE_EFFECTS__ */
export function int8LinearKernels(options: Int8KernelOptions = {}): KernelSet {
  takes('o{tuning floats matrices methods}', options)
  const { tuning, matrices = options.methods } = options
  const programs = int8Programs(decoder, { ...INT8_TUNING, ...tuning })
  const productOf = (x: Tensor, weight: CodedWeight, bias?: Tensor): LinearProduct => ({
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
  weight: CodedWeight,
  bias: Tensor | undefined,
  activation: QuantizeTensorToInt8Kwargs,
  known: Int8ActivationQparams,
  outDtype: FloatDType,
]

function callOf(
  x: Tensor,
  weight: CodedWeight,
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
