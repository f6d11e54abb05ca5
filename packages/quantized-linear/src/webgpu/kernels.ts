/** @file The kernels of a format's ops, of its decoder alone. */

import { takes, type Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import type { DequantizeOp, WeightLinearOp } from '../weight-ops.ts'
import type { LinearPrograms, StoredWeight } from './decoder.ts'
import { byExperts, dequantizeWeight } from './dequantize.ts'
import { toFloat8 } from './input-rounding.ts'
import { linearVariants } from './linear.ts'
import { floatMatrices } from './matrices.ts'
import type { LinearTuningOptions } from './tuning.ts'
import type { LinearProduct } from './variants.ts'

/** What ops of a weight take: its tensors, and its shape where these do not tell it. */
type Parts = readonly (Tensor | readonly number[] | undefined)[]

/** A format's ops, and what kernels need to know of a weight. */
export interface WeightKernelsOptions<Weight extends Parts> {
  readonly linear: WeightLinearOp<Weight>
  /** The product with inputs that are rounded to float8 first. */
  readonly float8Linear?: WeightLinearOp<Weight>
  readonly dequantize: DequantizeOp<Weight>
  /** A weight (N, K) as it is stored. */
  readonly stored: (weight: Weight) => StoredWeight
  /** Whether all parts of a weight have experts as their first dimension; they have not, unless given. */
  readonly isExperts?: (weight: Weight) => boolean
  /** What products of a weight are like, besides their parts. */
  readonly product?: (weight: Weight) => Partial<LinearProduct>
}

/** The kernels of a format's products, and of its values. */
/* @__NO_SIDE_EFFECTS__ */
export function weightKernels<Weight extends Parts>(
  programs: LinearPrograms,
  options: WeightKernelsOptions<Weight>,
  tuning?: LinearTuningOptions,
): KernelSet {
  takes('o<decoder:o>o<linear:f dequantize:f stored:f>', programs, options)
  const { linear, float8Linear, dequantize, stored, product, isExperts = () => false } = options
  const matrices = floatMatrices()
  type Args = [x: Tensor, weight: Weight, bias: Tensor | undefined]
  const productOf = (...[x, weight, bias]: Args): LinearProduct => {
    return { x, weight: stored(weight), bias, ...product?.(weight) }
  }
  const inFloat8 = (...args: Args): LinearProduct => ({
    ...productOf(...args),
    rounding: toFloat8,
  })
  return [
    kernel(linear, linearVariants(programs, productOf, tuning, matrices)),
    ...(float8Linear
      ? [kernel(float8Linear, linearVariants(programs, inFloat8, tuning, matrices))]
      : []),
    kernel(dequantize, [
      {
        name: 'dequantize',
        when: 'always',
        run: (gpu, weight, dtype) =>
          byExperts(gpu, weight, isExperts(weight), (expert) =>
            dequantizeWeight(gpu, programs, stored(expert), dtype),
          ),
      },
    ]),
  ]
}
