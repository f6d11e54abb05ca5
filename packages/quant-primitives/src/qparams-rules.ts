/**
 * @file The formulas that turn a block's range into a scale and a zero point.
 *
 * Every step rounds to the input's dtype, as PyTorch does: a bfloat16 scale that is later cast to
 * float32 carries 8 bits. Where results are to stay finite, ranges of which PyTorch would make infinite
 * values, or what GPUs round to zero, are narrowed first: see {@link safeRange}.
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
  /** Of ranges that stay finite. */
  readonly finite?: FiniteSetting | undefined
}

/** What keeps scales, zero points and the values of codes finite. */
interface FiniteSetting {
  /** The largest number of the dtype. */
  readonly largest: number
  /** Where ranges end: see {@link safeLimit}. */
  readonly limit: number
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
  isFinite: boolean = false,
): QparamsSetting {
  const round = rounder(dtype)
  const finite: FiniteSetting | undefined = isFinite
    ? { largest: finfo(dtype).max, limit: safeLimit(dtype, bounds) }
    : undefined
  return { ...bounds, round, eps: round(eps), finite }
}

/** Blocks of smaller numbers are blocks of zeros: their differences would be subnormal, which GPUs drop. */
export const SMALLEST_PEAK: number = 2 ** -100

/** Steps below this are those of blocks whose numbers are nearly equal, or count as zeros. */
export const SMALLEST_STEP: number = 2 ** -110

/** Numbers that {@link SMALLEST_PEAK} takes for zeros become zeros. */
export function dropSmall(row: Float32Array, start: number, end: number): void {
  for (let i = start; i < end; i++) {
    if (Math.abs(row[i] as number) < SMALLEST_PEAK) row[i] = 0
  }
}

/** Where ranges end, so that no code stands for more than the largest number of `dtype`. */
export function safeLimit(dtype: FloatDType, { quantMin, quantMax }: QuantBounds): number {
  const steps = quantMax - quantMin
  // Zero points and rounding move codes by up to a step, of twice this at most, from the end of the range.
  return Math.fround(finfo(dtype).max * (1 - 2 ** -7) * (1 - 2 / (steps + 2)))
}

/**
 * The range from which a block's scale is chosen: within {@link safeLimit},
 * and zero for blocks below {@link SMALLEST_PEAK}. Infinities and NaN stay.
 */
function safeRange(range: BlockRange, { finite }: QparamsSetting): BlockRange {
  if (!finite) return range
  const { limit } = finite
  const { min, max } = range
  const isSafe = (x: number): boolean =>
    x === 0 || (Math.abs(x) >= SMALLEST_PEAK && Math.abs(x) <= limit)
  if (min.every(isSafe) && max.every(isSafe)) return range
  const safe = (x: number, peak: number): number =>
    peak < SMALLEST_PEAK ? 0 : Number.isFinite(x) ? clamp(x, -limit, limit) : x
  const peaks = min.map((low, block) => Math.max(Math.abs(low), Math.abs(max[block] as number)))
  return {
    min: min.map((x, block) => safe(x, peaks[block] as number)),
    max: max.map((x, block) => safe(x, peaks[block] as number)),
  }
}

/**
 * `(high - low) / steps`, each step rounded, where `high - low` may be beyond the largest number: halves
 * are subtracted then.
 */
function spanStep(
  low: number,
  high: number,
  steps: number,
  { round, finite }: QparamsSetting,
): number {
  const half = Math.fround(high * 0.5 - low * 0.5)
  if (finite && half > finite.largest * 0.5) return round(round(half) / (steps * 0.5))
  return round(round(high - low) / steps)
}

/** The rule of each mapping; ranges are widened to include zero. */
export const AFFINE_RULES: { readonly [M in MappingType]: QparamsRule } = {
  SYMMETRIC: symmetric,
  SYMMETRIC_NO_CLIPPING_ERR: symmetricNoClipping,
  ASYMMETRIC: (range, setting) => asymmetric(includeZero(range), setting),
}

function symmetric(range: BlockRange, setting: QparamsSetting): BlockQparams {
  const { min, max } = safeRange(range, setting)
  const { round, eps, quantMin, quantMax } = setting
  const halfSpan = Math.fround((quantMax - quantMin) / 2) // 127.5 for int8
  const scale = max.map((high, block) => {
    const amax = Math.max(-(min[block] as number), high, 0)
    return clampMin(round(amax / halfSpan), eps)
  })
  return { scale, zeroPoint: middleCodes(scale.length, setting) }
}

function symmetricNoClipping(range: BlockRange, setting: QparamsSetting): BlockQparams {
  const { min, max } = safeRange(range, setting)
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
export function asymmetric(range: BlockRange, setting: QparamsSetting): BlockQparams {
  const { min, max } = safeRange(range, setting)
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
export function tinygemm(range: BlockRange, setting: QparamsSetting): BlockQparams {
  const { min, max } = safeRange(range, setting)
  const { round, quantMin, quantMax } = setting
  const scale = spanScale({ min, max }, setting)
  const middle = Math.fround((quantMax + quantMin + 1) / 2)
  const zeroPoint = scale.map((step, block) => round((min[block] as number) + round(step * middle)))
  return { scale, zeroPoint }
}

/** `(max - min) / (quantMax - quantMin)`, at least eps. */
function spanScale({ min, max }: BlockRange, setting: QparamsSetting): Float32Array {
  const { eps, quantMin, quantMax } = setting
  const steps = Math.fround(quantMax - quantMin)
  return max.map((high, block) =>
    clampMin(spanStep(min[block] as number, high, steps, setting), eps),
  )
}
