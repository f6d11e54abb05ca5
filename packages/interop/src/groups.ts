/**
 * @file What every conversion goes through: codes, and a scale and a zero point for each group of
 * neighbours along K.
 *
 *     source layout -> Groups -> Groups that the target can hold -> target layout
 *
 * Only the step in the middle can lose anything, and what it loses is measured there.
 */

import { ValueError } from '@ao/base-tensor'
import { PACKAGE } from './errors.ts'

/** A weight (N, K) in memory: `value = (code - zeroPoint) * scale`. */
export interface Groups {
  readonly n: number
  readonly k: number
  /** Divides K. */
  readonly groupSize: number
  /** (N, K) */
  readonly codes: Uint8Array | Int8Array
  /** (N, K / groupSize) */
  readonly scale: Float32Array
  /** (N, K / groupSize), in steps of one code; not always a whole number. */
  readonly zeroPoint: Float64Array
}

/**
 * The same weight in smaller groups, neighbours repeating the scale that they shared: exact.
 *
 * @throws {@link ValueError} unless `groupSize` divides the present one
 */
export function splitGroups(groups: Groups, groupSize: number): Groups {
  const times = groups.groupSize / groupSize
  if (!Number.isInteger(times)) {
    throw new ValueError({
      package: PACKAGE,
      expected: `codes in groups of a multiple of ${groupSize}`,
      got: `groups of ${groups.groupSize}`,
      cure: `Quantize with a group size of ${groupSize}.`,
    })
  }
  if (times === 1) return groups
  const scale = new Float32Array(groups.scale.length * times)
  const zeroPoint = new Float64Array(scale.length)
  for (let i = 0; i < scale.length; i++) {
    const source = Math.floor(i / times)
    scale[i] = groups.scale[source] as number
    zeroPoint[i] = groups.zeroPoint[source] as number
  }
  return { ...groups, groupSize, scale, zeroPoint }
}

/** Signal to noise ratio in dB of `out` against `reference`, two weights of equal group size. */
export function groupsSqnr(reference: Groups, out: Groups): number {
  const { groupSize } = reference
  let signal = 0
  let noise = 0
  for (let g = 0; g < reference.scale.length; g++) {
    const scale = reference.scale[g] as number
    const zeroPoint = reference.zeroPoint[g] as number
    const outScale = out.scale[g] as number
    const outZeroPoint = out.zeroPoint[g] as number
    for (let i = g * groupSize; i < (g + 1) * groupSize; i++) {
      const value = ((reference.codes[i] as number) - zeroPoint) * scale
      const difference = value - ((out.codes[i] as number) - outZeroPoint) * outScale
      signal += value * value
      noise += difference * difference
    }
  }
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise)
}
