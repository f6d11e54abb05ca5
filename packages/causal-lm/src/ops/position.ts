/** @file The position that is now. */

import { takes } from '@ao/base-tensor'
import type { Position } from '@ao/text-generation'

/** The number as it is now. */
export function positionOf(position: Position): number {
  if (typeof position === 'number') return position
  takes('o<counter:o plus:n>', position)
  return position.counter.value + position.plus
}
