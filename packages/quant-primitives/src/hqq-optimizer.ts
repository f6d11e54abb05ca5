/**
 * @file The iterations of half-quadratic quantization.
 *
 * The error `w - dequantize(quantize(w))` is split in a sparse part, which outliers make and which is
 * set aside, and the rest, which the zero point of each group then removes in the mean.
 */

import { roundHalfToEven, roundToHalf, takes } from '@ao/base-tensor'
import { clamp } from './arithmetic.ts'

/** Parameters of groups; `scale` is the inverse of a step: `q = round(w * scale + zero)`. */
export interface HqqGroups {
  readonly scale: Float32Array
  readonly zero: Float32Array
}

/** Parameters of groups, and the codes that they give. */
export interface HqqSolution extends HqqGroups {
  readonly codes: Uint8Array
}

/**
 * Improves parameters.
 *
 * @param weights - all groups, one after the other
 * @param start - the parameters to begin with, one of each for a group
 * @param maxCode - the largest code; the smallest is 0
 */
export type HqqOptimizer = (weights: Float32Array, start: HqqGroups, maxCode: number) => HqqSolution

/** How {@link optimizeWeightsProximalLegacy} iterates; torchao's `opt_params`. */
export interface ProximalOptions {
  /** The norm of the error that is made small, below 1 to ignore outliers; 0.7 unless given. */
  readonly lpNorm?: number
  /** How little of the error is set aside at first; 10 unless given. */
  readonly beta?: number
  /** By how much `beta` grows each time; 1.01 unless given. */
  readonly kappa?: number
  /** 20 unless given. */
  readonly iters?: number
  /** Whether to stop when the error no longer falls; true unless given. */
  readonly earlyStop?: boolean
  /**
   * What each step of an iteration is rounded to: float16 is for what torchao makes on a GPU, where it iterates in
   * it. float32 unless given.
   */
  readonly computeDtype?: 'float32' | 'float16'
}

/** How an iteration rounds the result of each step, and adds up a group's. */
interface Precision {
  readonly round: (x: number) => number
  readonly sum: (terms: Float32Array) => number
}

const PRECISIONS: Readonly<Record<'float32' | 'float16', Precision>> = {
  float32: { round: Math.fround, sum: vectorSum },
  // A GPU's kernels sum in float32; here, double precision.
  float16: { round: roundToHalf, sum: (terms) => terms.reduce((sum, term) => sum + term, 0) },
}

/**
 * Moves the zero points, and leaves the scales; torchao's `optimize_weights_proximal_legacy`.
 *
 * Computes in float32 and sums in the order of PyTorch on AVX2 processors, or computes in float16.
 */
export function optimizeWeightsProximalLegacy(
  weights: Float32Array,
  start: HqqGroups,
  maxCode: number,
  options: ProximalOptions = {},
): HqqSolution {
  takes('ao<scale:a zero:a>no?', weights, start, maxCode, options)
  const { lpNorm = 0.7, kappa = 1.01, iters = 20, earlyStop = true } = options
  let { beta = 10 } = options
  const precision = PRECISIONS[options.computeDtype ?? 'float32']
  const problem = problemOf(weights, start.scale, maxCode, precision)
  const { scale } = problem
  const zero = start.zero.map(precision.round)
  let best = 1e4
  for (let i = 0; i < iters; i++) {
    const error = precision.round(proximalStep(problem, zero, beta, lpNorm))
    beta *= kappa
    // The zero points of the last step are kept, even when it did not improve.
    if (earlyStop && !(error < best)) break
    best = error
  }
  return { codes: quantizeGroups(weights, scale, zero, maxCode), scale, zero }
}

/** What iterations read: each group's weights, one after the other, and its inverse scale. */
interface Problem extends Precision {
  readonly weights: Float32Array
  readonly scale: Float32Array
  /** Weights times inverse scales. */
  readonly steps: Float32Array
  readonly maxCode: number
}

function problemOf(
  exact: Float32Array,
  exactScale: Float32Array,
  maxCode: number,
  precision: Precision,
): Problem {
  const { round } = precision
  const groupSize = exact.length / exactScale.length
  const weights = exact.map(round)
  const scale = exactScale.map(round)
  const steps = weights.map((w, i) => round(w * (scale[Math.floor(i / groupSize)] as number)))
  return { ...precision, weights, scale, steps, maxCode }
}

/** Sets `zeros` to what one iteration gives; returns the mean error before it. */
function proximalStep(
  { weights, scale, steps, maxCode, round, sum }: Problem,
  zeros: Float32Array,
  beta: number,
  lpNorm: number,
): number {
  const groupSize = weights.length / scale.length
  const inverseBeta = Math.fround(1 / beta)
  // Below this the shrunk error is zero, which spares a power for nearly all weights.
  const threshold = 0.99 * beta ** (-1 / (2 - lpNorm))
  const terms = new Float32Array(groupSize)
  const values = new Float32Array(maxCode + 1)
  let total = 0
  for (let g = 0; g < scale.length; g++) {
    const inverse = scale[g] as number
    const zero = zeros[g] as number
    for (let code = 0; code <= maxCode; code++) values[code] = round(round(code - zero) / inverse)
    for (let i = 0; i < groupSize; i++) {
      const w = weights[g * groupSize + i] as number
      const step = steps[g * groupSize + i] as number
      const code = clamp(roundHalfToEven(round(step + zero)), 0, maxCode)
      const error = round(w - (values[code] as number))
      const magnitude = Math.abs(error)
      total += magnitude
      const kept =
        magnitude < threshold
          ? step
          : round(round(w - shrink(error, inverseBeta, lpNorm, round)) * inverse)
      terms[i] = round(code - kept)
    }
    zeros[g] = round(sum(terms) / groupSize)
  }
  return total / weights.length
}

/** The float32 sum as 4 vectors of 8 partial sums give it. */
function vectorSum(values: Float32Array): number {
  const partial = new Float32Array(32)
  const whole = values.length - (values.length % 32)
  for (let i = 0; i < values.length; i++) {
    const lane = i & (i < whole ? 31 : 7)
    partial[lane] = (partial[lane] as number) + (values[i] as number)
  }
  for (let i = 8; i < 32; i++) {
    partial[i & 7] = (partial[i & 7] as number) + (partial[i] as number)
  }
  let sum = 0
  for (let lane = 0; lane < 8; lane++) sum = Math.fround(sum + (partial[lane] as number))
  return sum
}

/** `sign(x) * max(|x| - |x|^(p - 1) / beta, 0)`: nearly all of large errors, nothing of small ones. */
function shrink(x: number, inverseBeta: number, lpNorm: number, round: Precision['round']): number {
  const magnitude = Math.abs(x)
  const cut = lpNorm === 1 ? inverseBeta : round(inverseBeta * round(magnitude ** (lpNorm - 1)))
  return Math.sign(x) * Math.max(round(magnitude - cut), 0)
}

/** Codes of all groups. */
export function quantizeGroups(
  weights: Float32Array,
  scales: Float32Array,
  zeros: Float32Array,
  maxCode: number,
): Uint8Array {
  const groupSize = weights.length / scales.length
  const codes = new Uint8Array(weights.length)
  for (let g = 0; g < scales.length; g++) {
    const scale = scales[g] as number
    const zero = zeros[g] as number
    const end = (g + 1) * groupSize
    for (let i = g * groupSize; i < end; i++) {
      codes[i] = encode(weights[i] as number, scale, zero, maxCode)
    }
  }
  return codes
}

function encode(w: number, scale: number, zero: number, maxCode: number): number {
  return clamp(roundHalfToEven(Math.fround(Math.fround(w * scale) + zero)), 0, maxCode)
}
