/** @file Random numbers that are the same in every run. */

import { wrongArgument } from './errors.ts'

/** `count` normally distributed numbers, the same for the same seed. */
export function normalNumbers(count: number, seed = 1): Float32Array {
  if (!(Number.isInteger(count) && count >= 0 && count < 2 ** 32)) {
    throw wrongArgument('a number of numbers', count)
  }
  if (!Number.isInteger(seed)) throw wrongArgument('an integer as seed', seed)
  const uniform = mulberry32(seed)
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
    return radius * Math.cos(2 * Math.PI * uniform())
  })
}

/** A generator of uniform numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
