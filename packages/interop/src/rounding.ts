/** @file The rule for targets that cannot hold a weight as it is: refuse, or round and say by how much. */

import { ValueError } from '@ao/base-tensor'
import { PACKAGE } from './errors.ts'
import { groupsSqnr, type Groups } from './groups.ts'

/** What to do with numbers that the other format cannot hold. */
export interface RoundingOptions {
  /** Whether a weight that the target cannot hold exactly may be rounded; false unless given. */
  readonly allowRounding?: boolean | undefined
}

/** What a conversion says of itself. */
export interface Converted {
  /**
   * Signal to noise ratio in dB of the weight as the target has it, against the codes that it was made
   * of; Infinity when nothing changed.
   */
  readonly sqnr: number
}

/**
 * The error of writing `target` for `source`.
 *
 * @param why - what the target lacks, as an expectation of the source
 * @throws {@link ValueError} when they differ and rounding is not allowed
 */
export function measureRounding(
  source: Groups,
  target: Groups,
  why: string,
  { allowRounding = false }: RoundingOptions,
): number {
  const sqnr = groupsSqnr(source, target)
  if (sqnr === Infinity || allowRounding) return sqnr
  throw new ValueError({
    package: PACKAGE,
    expected: why,
    got: `a weight that would keep ${sqnr.toFixed(1)} dB`,
    cure: 'Pass allowRounding: true to accept that.',
  })
}
