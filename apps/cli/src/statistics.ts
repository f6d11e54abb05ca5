/** @file What the numbers of a tensor look like. */

export interface Statistics {
  readonly min: number
  readonly max: number
  readonly mean: number
  /** Standard deviation, of the whole population. */
  readonly std: number
  /** Share of elements that are 0. */
  readonly zeros: number
  /** NaN and infinite elements; the other figures leave them out. */
  readonly nonFinite: number
}

/** Statistics of `values`; undefined where none is finite. */
export function statistics(values: Float32Array): Statistics | undefined {
  let min = Infinity
  let max = -Infinity
  let count = 0
  let zeros = 0
  // Welford's method: one pass, without the cancellation that a sum of squares has.
  let mean = 0
  let squares = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (!Number.isFinite(value)) continue
    count++
    if (value < min) min = value
    if (value > max) max = value
    if (value === 0) zeros++
    const delta = value - mean
    mean += delta / count
    squares += delta * (value - mean)
  }
  if (count === 0) return undefined
  const nonFinite = values.length - count
  return {
    min,
    max,
    mean,
    std: Math.sqrt(squares / count),
    zeros: zeros / values.length,
    nonFinite,
  }
}
