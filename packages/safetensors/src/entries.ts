/** @file Entries of callers that no compiler checked. */

import { takes } from '@ao/base-tensor'

/**
 * Names and what goes by them.
 *
 * @throws {@link ValueError} for anything but pairs of a text and an object
 */
export function* entriesOf<Value>(
  entries: Iterable<readonly [name: string, value: Value]>,
): Generator<readonly [name: string, value: Value]> {
  takes('i', entries)
  for (const entry of entries) {
    takes('o<0:x 1:o>', entry)
    yield entry
  }
}
