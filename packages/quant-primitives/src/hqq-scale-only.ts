/** @file HQQ without zero points: a least-squares fit of each group's scale. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  roundHalfToEven,
  ShapeError,
  ValueError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { clamp, clampMin, floatDTypeOf } from './arithmetic.ts'

/** The smallest scale: float32's eps. */
const EPS = 2 ** -23

/** Options of {@link chooseQparamsAndQuantizeScaleOnlyHqq}. */
export interface ScaleOnlyHqqOptions {
  /** The most iterations; 20 unless given. */
  readonly iters?: number
  /** Random numbers from 0 (included) to 1: codes then round up as often as they are near to it. */
  readonly stochastic?: () => number
  /** The relative change of scales at which to stop; 1e-5 unless given. */
  readonly earlyStopTol?: number
}

/** Codes and the scales of their groups. */
export interface ScaleOnlyQuantized {
  /** int32, in the input's shape (N, K). */
  readonly qdata: Tensor
  /** (N, K / groupSize), in the input's dtype. */
  readonly scale: Tensor
}

type Args = [
  input: Tensor,
  blockSize: readonly number[],
  quantMin: number,
  quantMax: number,
  options?: ScaleOnlyHqqOptions,
]

/**
 * Codes and scales that are refitted to each other, `scale = sum(w * q) / sum(q * q)`; torchao's
 * `_choose_qparams_and_quantize_scale_only_hqq`.
 *
 * Computes in float32; codes follow from the scale before its cast to the input's dtype.
 *
 * @param blockSize - `[1, groupSize]`
 * @throws {@link DTypeError} for an input that is not floating
 * @throws {@link ShapeError} unless `input` is (N, K) and groups divide its rows
 * @throws {@link ValueError} unless quantMin < quantMax
 */
export const chooseQparamsAndQuantizeScaleOnlyHqq: Op<Args, ScaleOnlyQuantized> =
  /* @__PURE__ */ defineOp({
    name: 'chooseQparamsAndQuantizeScaleOnlyHqq',
    takes: 'tsnno?',
    reference: (...args: Args): ScaleOnlyQuantized => {
      const [input, , quantMin, quantMax, options = {}] = args
      const { scaleShape, groupSize } = checkArguments(args)
      const groups: Groups = {
        weights: hostFloat32(input),
        groupSize,
        quantMin,
        quantMax,
        round: stochasticRounding(options.stochastic),
        codes: new Int32Array(input.numel),
      }
      const scale = fitScales(groups, options.iters ?? 20, options.earlyStopTol ?? 1e-5)
      quantize(groups, scale)
      return {
        qdata: fromArray(groups.codes, input.shape, 'int32'),
        scale: fromFloat32(scale, scaleShape, input.dtype),
      }
    },
    meta: (...args: Args): ScaleOnlyQuantized => {
      const [input] = args
      return {
        qdata: zeros(input.shape, 'int32', input.device),
        scale: zeros(checkArguments(args).scaleShape, input.dtype, input.device),
      }
    },
  })

interface Groups {
  readonly weights: Float32Array
  readonly groupSize: number
  readonly quantMin: number
  readonly quantMax: number
  readonly round: (x: number) => number
  readonly codes: Int32Array
}

function stochasticRounding(random: (() => number) | undefined): (x: number) => number {
  return random ? (x) => Math.floor(Math.fround(x + random())) : roundHalfToEven
}

function fitScales(groups: Groups, iters: number, tolerance: number): Float32Array {
  const scale = firstScales(groups)
  for (let i = 0; i < Math.max(1, iters); i++) {
    quantize(groups, scale)
    if (refit(groups, scale) < tolerance) break
  }
  return scale
}

/** Scales with which nothing is clipped. */
function firstScales({ weights, groupSize, quantMin, quantMax }: Groups): Float32Array {
  const largestCode = Math.max(Math.abs(quantMin), Math.abs(quantMax))
  const scale = new Float32Array(weights.length / groupSize)
  for (let g = 0; g < scale.length; g++) {
    let amax = 0
    for (let i = g * groupSize; i < (g + 1) * groupSize; i++) {
      amax = Math.max(amax, Math.abs(weights[i] as number))
    }
    scale[g] = clampMin(amax / largestCode, EPS)
  }
  return scale
}

function quantize(
  { weights, groupSize, quantMin, quantMax, round, codes }: Groups,
  scales: Float32Array,
): void {
  for (let g = 0; g < scales.length; g++) {
    const scale = scales[g] as number
    for (let i = g * groupSize; i < (g + 1) * groupSize; i++) {
      codes[i] = clamp(round(Math.fround((weights[i] as number) / scale)), quantMin, quantMax)
    }
  }
}

/** Fits each scale to its codes; returns the largest relative change. */
function refit({ weights, groupSize, codes }: Groups, scales: Float32Array): number {
  let change = 0
  for (let g = 0; g < scales.length; g++) {
    const previous = scales[g] as number
    let product = 0
    let square = 0
    for (let i = g * groupSize; i < (g + 1) * groupSize; i++) {
      const code = codes[i] as number
      product += (weights[i] as number) * code
      square += code * code
    }
    const fitted = square > 0 ? product / square : previous
    scales[g] = clampMin(fitted, EPS)
    change = Math.max(change, Math.abs((scales[g] as number) - previous) / clampMin(previous, EPS))
  }
  return change
}

function checkArguments([input, blockSize, quantMin, quantMax]: Args): {
  scaleShape: number[]
  groupSize: number
} {
  floatDTypeOf(input)
  const [n, k] = input.shape as readonly [number, number]
  const [rows, groupSize] = blockSize as readonly [number, number]
  const fits = input.ndim === 2 && blockSize.length === 2 && rows === 1 && groupSize >= 1
  if (!fits || k % groupSize !== 0) {
    throw fail(
      ShapeError,
      'a block size [1, groupSize] that divides the rows of an input [N, K]',
      `[${blockSize.join(', ')}] for [${input.shape.join(', ')}]`,
    )
  }
  if (!(quantMin < quantMax)) {
    throw fail(ValueError, 'quantMin below quantMax', `${quantMin}..${quantMax}`)
  }
  return { scaleShape: [n, k / groupSize], groupSize }
}
