/**
 * @file The formulas that turn a block's range into a scale and a zero point.
 *
 * Every step rounds to the input's dtype, as PyTorch does: a bfloat16 scale that is later cast to
 * float32 carries 8 bits.
 */

import { finfo, rounder, roundHalfToEven, type FloatDType } from '@ao/base-tensor'
import { clamp, clampMin, type Rounder } from './arithmetic.ts'
import type { BlockRange } from './block-range.ts'
import type { MappingType, QuantBounds } from './bounds.ts'

/** Numbers that a formula works with, rounded to the dtype that it computes in. */
export interface QparamsSetting extends QuantBounds {
  readonly round: Rounder
  /** The smallest scale. */
  readonly eps: number
}

/** One number of each for each block, in the dtype of the computation. */
export interface BlockQparams {
  readonly scale: Float32Array
  readonly zeroPoint: Float32Array
}

export type QparamsRule = (range: BlockRange, setting: QparamsSetting) => BlockQparams

/** The setting of a computation in `dtype`. */
export function qparamsSetting(
  dtype: FloatDType,
  bounds: QuantBounds,
  eps: number = finfo(dtype).smallestNormal,
): QparamsSetting {
  const round = rounder(dtype)
  return { ...bounds, round, eps: round(eps) }
}

/** The rule of each mapping; ranges are widened to include zero. */
export const AFFINE_RULES: { readonly [M in MappingType]: QparamsRule } = {
  SYMMETRIC: symmetric,
  SYMMETRIC_NO_CLIPPING_ERR: symmetricNoClipping,
  ASYMMETRIC: (range, setting) => asymmetric(includeZero(range), setting),
}

function symmetric({ min, max }: BlockRange, setting: QparamsSetting): BlockQparams {
  const { round, eps, quantMin, quantMax } = setting
  const halfSpan = Math.fround((quantMax - quantMin) / 2) // 127.5 for int8
  const scale = max.map((high, block) => {
    const amax = Math.max(-(min[block] as number), high, 0)
    return clampMin(round(amax / halfSpan), eps)
  })
  return { scale, zeroPoint: middleCodes(scale.length, setting) }
}

function symmetricNoClipping({ min, max }: BlockRange, setting: QparamsSetting): BlockQparams {
  const { round, eps, quantMin, quantMax } = setting
  const scale = max.map((high, block) => {
    const fromMin = round(Math.min(min[block] as number, 0) / quantMin)
    const fromMax = round(Math.max(high, 0) / quantMax)
    return clampMin(fromMin > fromMax ? fromMin : fromMax, eps)
  })
  return { scale, zeroPoint: middleCodes(scale.length, setting) }
}

/** The zero point of symmetric mappings: 0 for int8, 128 for uint8. */
function middleCodes(count: number, { round, quantMin, quantMax }: QparamsSetting): Float32Array {
  return new Float32Array(count).fill(round(Math.trunc((quantMax + quantMin + 1) / 2)))
}

function includeZero({ min, max }: BlockRange): BlockRange {
  return { min: min.map((x) => Math.min(x, 0)), max: max.map((x) => Math.max(x, 0)) }
}

/** From the smallest value to the largest as they are. Without zero between them, codes saturate. */
export function asymmetric({ min, max }: BlockRange, setting: QparamsSetting): BlockQparams {
  const { round, quantMin, quantMax } = setting
  const scale = spanScale({ min, max }, setting)
  const lowest = round(quantMin)
  const highest = round(quantMax)
  const zeroPoint = scale.map((step, block) => {
    const codesBelowZero = roundHalfToEven(round((min[block] as number) / step))
    return clamp(round(quantMin - codesBelowZero), lowest, highest)
  })
  return { scale, zeroPoint }
}

/** A floating zero point: the value of the middle code (8 for 0..15). */
export function tinygemm({ min, max }: BlockRange, setting: QparamsSetting): BlockQparams {
  const { round, quantMin, quantMax } = setting
  const scale = spanScale({ min, max }, setting)
  const middle = Math.fround((quantMax + quantMin + 1) / 2)
  const zeroPoint = scale.map((step, block) => round((min[block] as number) + round(step * middle)))
  return { scale, zeroPoint }
}

/** `(max - min) / (quantMax - quantMin)`, at least eps. */
function spanScale({ min, max }: BlockRange, setting: QparamsSetting): Float32Array {
  const { round, eps, quantMin, quantMax } = setting
  const steps = Math.fround(quantMax - quantMin)
  return max.map((high, block) =>
    clampMin(round(round(high - (min[block] as number)) / steps), eps),
  )
}
