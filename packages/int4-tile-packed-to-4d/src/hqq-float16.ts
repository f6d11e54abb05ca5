/**
 * @file The iterations of half-quadratic quantization in float16.
 *
 * torchao iterates in float16 on a GPU, the only place where it makes this format, and in float32
 * elsewhere. Each operation here rounds as its kernels do, sums excepted, which run in float32 there and
 * in double precision here; so codes and zero points come out as on a GPU.
 */

import { roundHalfToEven } from '@ao/base-tensor'
import type { HqqGroups, HqqSolution } from '@ao/quant-primitives'
import { roundToHalf as half } from './rounding.ts'

/** The numbers of torchao's `optimize_weights_proximal_legacy`. */
const ITERATIONS = 20
const LP_NORM = 0.7
const FIRST_BETA = 10
const KAPPA = 1.01
const LARGEST_ERROR = 1e4

/** What iterations read, in float16: each group's weights, one after the other, and its inverse scale. */
interface Halves {
  readonly weights: Float32Array
  readonly scale: Float32Array
  /** Weights times inverse scales. */
  readonly steps: Float32Array
  readonly maxCode: number
}

/** An optimizer for `chooseQparamsAndQuantizeAffineHqq`: moves zero points, and leaves scales. */
export function optimizeInFloat16(
  weights: Float32Array,
  start: HqqGroups,
  maxCode: number,
): HqqSolution {
  const halves = inFloat16(weights, start.scale, maxCode)
  const zero = start.zero.map(half)
  let best = LARGEST_ERROR
  let beta = FIRST_BETA
  for (let i = 0; i < ITERATIONS; i++, beta *= KAPPA) {
    const error = half(improveZeros(halves, zero, beta))
    // The zero points of the last step are kept, even when it did not improve.
    if (!(error < best)) break
    best = error
  }
  const { scale } = halves
  return { codes: encodeAll(weights, scale, zero, maxCode), scale, zero }
}

function inFloat16(weights: Float32Array, inverseScale: Float32Array, maxCode: number): Halves {
  const groupSize = weights.length / inverseScale.length
  const rounded = weights.map(half)
  const scale = inverseScale.map(half)
  const steps = rounded.map((w, i) => half(w * (scale[Math.floor(i / groupSize)] as number)))
  return { weights: rounded, scale, steps, maxCode }
}

/** One iteration: moves the zero points; returns the mean error before it. */
function improveZeros(halves: Halves, zeros: Float32Array, beta: number): number {
  const { weights, scale, steps, maxCode } = halves
  const groupSize = weights.length / scale.length
  const inverseBeta = Math.fround(1 / beta)
  // Below this the shrunk error is zero, which spares a power for nearly all weights.
  const threshold = 0.99 * beta ** (-1 / (2 - LP_NORM))
  const values = new Float32Array(maxCode + 1)
  let totalError = 0
  for (let g = 0; g < scale.length; g++) {
    const inverse = scale[g] as number
    const zero = zeros[g] as number
    for (let code = 0; code <= maxCode; code++) values[code] = half(half(code - zero) / inverse)
    let sum = 0
    for (let i = g * groupSize; i < (g + 1) * groupSize; i++) {
      const w = weights[i] as number
      const step = steps[i] as number
      const code = clampCode(half(step + zero), maxCode)
      const error = half(w - (values[code] as number))
      const magnitude = Math.abs(error)
      totalError += magnitude
      if (magnitude < threshold) sum += half(code - step)
      else sum += half(code - half(half(w - shrink(error, inverseBeta)) * inverse))
    }
    zeros[g] = half(sum / groupSize)
  }
  return totalError / weights.length
}

/** `sign(x) * max(|x| - |x|^(p - 1) / beta, 0)`: nearly all of large errors, nothing of small ones. */
function shrink(x: number, inverseBeta: number): number {
  const magnitude = Math.abs(x)
  const cut = half(inverseBeta * half(magnitude ** (LP_NORM - 1)))
  return Math.sign(x) * Math.max(half(magnitude - cut), 0)
}

/** Codes of the weights as they were: float32 again. */
function encodeAll(
  weights: Float32Array,
  scale: Float32Array,
  zero: Float32Array,
  maxCode: number,
): Uint8Array {
  const groupSize = weights.length / scale.length
  const codes = new Uint8Array(weights.length)
  for (let i = 0; i < codes.length; i++) {
    const g = Math.floor(i / groupSize)
    const steps = Math.fround((weights[i] as number) * (scale[g] as number))
    codes[i] = clampCode(Math.fround(steps + (zero[g] as number)), maxCode)
  }
  return codes
}

function clampCode(x: number, maxCode: number): number {
  const code = roundHalfToEven(x)
  return code < 0 ? 0 : code > maxCode ? maxCode : code
}
