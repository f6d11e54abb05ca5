/** @file Float8 weights on the GPU: quantizing them, and their products. */

import { isFloat8DType, type Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet, type Variant } from '@ao/kernels-webgpu'
import {
  byteDecoder,
  float8Kernels as quantizeKernels,
  floatMatrices,
  INT8_MATRIX_TUNING,
  linearPrograms,
  linearVariants,
  type LinearProduct,
  type LinearPrograms,
  type LinearTuningOptions,
  type StoredWeight,
} from '@ao/quantized-linear/webgpu'
import { roundInput, type QuantizeTensorToFloat8Kwargs } from './kwargs.ts'
import { float8DynamicLinear, float8Linear, type Float8Weight } from './linear-ops.ts'
import decode from './webgpu/decode.wgsl'

const programs: LinearPrograms = /* @__PURE__ */ linearPrograms(
  /* @__PURE__ */ byteDecoder({ name: 'float8', parts: ['scale'], wgsl: decode }),
)

/** A thread takes 16 codes of each of four rows at a time. */
const TUNING: LinearTuningOptions = { gemv: { minLanes: 64 }, matrix: INT8_MATRIX_TUNING }

function stored([codes, scale]: Float8Weight): StoredWeight {
  const [n, k] = codes.shape as [number, number]
  const [rowBlocks, groups] = scale.shape as [number, number]
  return {
    ...{ n, k, groupSize: k / groups, parts: { scale, codes }, rowBytes: k },
    isSymmetric: true,
    defines: { FLOAT8: codes.dtype, SCALE_ROWS: n / rowBlocks },
  }
}

const isTaken = ([codes, scale]: Float8Weight): boolean =>
  isFloat8DType(codes.dtype) && scale.dtype === 'float32' && codes.numel > 0

type Args = readonly [x: Tensor, weight: Float8Weight, ...rest: never]

/** The variants for weights that have elements. */
function variantsFor<Own extends Args>(
  productOf: (...args: Own) => LinearProduct,
  tuning: LinearTuningOptions,
): Variant<Own, Tensor>[] {
  return linearVariants(programs, productOf, tuning, floatMatrices()).map((variant) => ({
    ...variant,
    fits: (gpu, ...args: Own) => isTaken(args[1]) && variant.fits?.(gpu, ...args) !== false,
  }))
}

/** The kernels of this package, with sizes of your own. */
/* @__NO_SIDE_EFFECTS__ */
export function float8Kernels(tuning?: LinearTuningOptions): KernelSet {
  const sizes = { ...TUNING, ...tuning }
  const plain = (x: Tensor, weight: Float8Weight, bias?: Tensor): LinearProduct => ({
    ...{ x, weight: stored(weight), bias },
  })
  const rounding = (
    x: Tensor,
    weight: Float8Weight,
    bias: Tensor | undefined,
    activation: QuantizeTensorToFloat8Kwargs,
  ): LinearProduct => ({
    ...plain(x, weight, bias),
    rounding: { dtype: 'float32', round: (_gpu, input) => roundInput(input, activation) },
  })
  return [
    ...quantizeKernels,
    kernel(float8Linear, variantsFor(plain, sizes)),
    kernel(float8DynamicLinear, variantsFor(rounding, sizes)),
  ]
}

/** Kernels of this package's ops, and of those that quantize a weight on the GPU. */
export const webgpuKernels: KernelSet = /* @__PURE__ */ float8Kernels()
