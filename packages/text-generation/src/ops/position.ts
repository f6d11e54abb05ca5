/** @file Where new tokens stand, for work that is done again at the next position. */

import { takes } from '@ao/base-tensor'

/**
 * A number of tokens. A counted one is `counter.value + plus` as it is when the work is done: devices that
 * record a step look it up anew each time.
 */
export type Position = number | CountedPosition

/** The position `counter.value + plus`, looked up when the work is done. */
export interface CountedPosition {
  readonly counter: { readonly value: number }
  readonly plus: number
}

/** The number as it is now. */
export function valueOf(position: Position): number {
  if (typeof position === 'number') return position
  takes('o<counter:o plus:n>', position)
  return position.counter.value + position.plus
}
