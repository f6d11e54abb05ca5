/** @file How far two lists of numbers, of one length, are apart. */

import { expectNumbers } from './errors.ts'

/** Signal to quantization noise ratio in dB: 20 log10(|ref| / |ref - out|); infinite when equal. */
export function sqnr(reference: ArrayLike<number>, out: ArrayLike<number>): number {
  expectNumbers(reference, out)
  let signal = 0
  let noise = 0
  for (let i = 0; i < reference.length; i++) {
    const value = reference[i] as number
    signal += value * value
    noise += (value - (out[i] as number)) ** 2
  }
  return 10 * Math.log10(signal / noise)
}

/** Largest difference, as a share of the largest magnitude in `reference`. */
export function maxRelativeToPeak(reference: ArrayLike<number>, out: ArrayLike<number>): number {
  expectNumbers(reference, out)
  let peak = 0
  let worst = 0
  for (let i = 0; i < reference.length; i++) {
    peak = Math.max(peak, Math.abs(reference[i] as number))
    worst = Math.max(worst, Math.abs((reference[i] as number) - (out[i] as number)))
  }
  return worst / peak
}

/** The largest absolute difference. */
export function maxAbsoluteDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expectNumbers(a, b)
  let worst = 0
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs((a[i] as number) - (b[i] as number)))
  }
  return worst
}
