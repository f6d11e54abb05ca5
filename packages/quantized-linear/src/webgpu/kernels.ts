/** @file The kernels of a format's ops, of its decoder alone. */

import type { FloatDType, Op, Tensor } from '@ao/base-tensor'
import { kernel, type KernelSet } from '@ao/kernels-webgpu'
import type { LinearPrograms, StoredWeight } from './decoder.ts'
import { byExperts, dequantizeWeight } from './dequantize.ts'
import { toFloat8 } from './input-rounding.ts'
import { linearVariants } from './linear.ts'
import { floatMatrices } from './matrices.ts'
import type { LinearTuningOptions } from './tuning.ts'
import type { LinearProduct } from './variants.ts'

/** The dense tensors of a weight. */
type Parts = readonly (Tensor | undefined)[]

/** An op that multiplies with a weight; `Rest` is what a format's ops are told besides its parts. */
type LinearOp<Weight, Rest extends readonly unknown[]> = Op<
  [x: Tensor, weight: Weight, ...rest: Rest, bias: Tensor | undefined],
  Tensor
>

/** A format's ops, and what kernels need to know of a weight. */
export interface WeightKernelsOptions<Weight extends Parts, Rest extends readonly unknown[]> {
  readonly linear: LinearOp<Weight, Rest>
  /** The product with inputs that are rounded to float8 first. */
  readonly float8Linear?: LinearOp<Weight, Rest>
  readonly dequantize: Op<[weight: Weight, ...rest: Rest, dtype: FloatDType], Tensor>
  /** A weight (N, K) as it is stored. */
  readonly stored: (weight: Weight, ...rest: Rest) => StoredWeight
  /** Whether all parts of a weight have experts as their first dimension; they have not, unless given. */
  readonly isExperts?: (weight: Weight, ...rest: Rest) => boolean
  /** `rest` for one of several experts; the same unless given. */
  readonly ofExpert?: (...rest: Rest) => Rest
  /** What products of a weight are like, besides their parts. */
  readonly product?: (weight: Weight) => Partial<LinearProduct>
}

/** The kernels of a format's products, and of its values. */
/* @__NO_SIDE_EFFECTS__ */
export function weightKernels<Weight extends Parts, Rest extends readonly unknown[]>(
  programs: LinearPrograms,
  options: WeightKernelsOptions<Weight, Rest>,
  tuning?: LinearTuningOptions,
): KernelSet {
  const { linear, float8Linear, dequantize, stored, product } = options
  const { isExperts = () => false, ofExpert = (...rest: Rest) => rest } = options
  const matrices = floatMatrices()
  type Args = [x: Tensor, weight: Weight, ...rest: Rest, bias: Tensor | undefined]
  const productOf = (...[x, weight, ...args]: Args): LinearProduct => {
    const bias = args.at(-1) as Tensor | undefined
    const rest = args.slice(0, -1) as unknown as Rest
    return { x, weight: stored(weight, ...rest), bias, ...product?.(weight) }
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
        run: (gpu, weight, ...args) => {
          const rest = args.slice(0, -1) as unknown as Rest
          const dtype = args.at(-1) as FloatDType
          const experts = isExperts(weight, ...rest)
          const own = experts ? ofExpert(...rest) : rest
          return byExperts(gpu, weight, experts, (expert) =>
            dequantizeWeight(gpu, programs, stored(expert, ...own), dtype),
          )
        },
      },
    ]),
  ]
}
