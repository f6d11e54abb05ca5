/** @file What this package refuses with. */

import { FormatError } from '@ao/base-tensor'

const PACKAGE = '@ao/torch-files'

export const DAMAGED = 'The file is damaged or cut off: copy or download it again.'

/** Throws a `FormatError` of this package. */
export function refuse(expected: string, got: string, cure: string, cause?: unknown): never {
  throw new FormatError({ package: PACKAGE, expected, got, cure, cause })
}

const LONGEST_QUOTE = 120

/** Text of a file that is short enough for a message, as JSON. */
export function quote(text: string): string {
  const json = JSON.stringify(text)
  return json.length > LONGEST_QUOTE ? `${json.slice(0, LONGEST_QUOTE)}...` : json
}
