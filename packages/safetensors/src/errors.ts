/** @file What this package refuses with, and how messages show names that come from files. */

import { AoError, FormatError } from '@ao/base-tensor'

export const PACKAGE = '@ao/safetensors'

/** A file that is missing, or could not be read or written. Damaged content is a `FormatError`. */
export class FileError extends AoError {
  static override readonly errorName: string = 'FileError'
}

/** Throws a `FormatError` of this package. */
export function refuse(expected: string, got: string, cure: string, cause?: unknown): never {
  throw new FormatError({ package: PACKAGE, expected, got, cure, cause })
}

/** The message of whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message
  return Object(error) === error ? Object.prototype.toString.call(error) : String(error)
}

const LONGEST_QUOTE = 120

/** A value from a file, as JSON that is short enough for a message. */
export function quote(value: unknown): string {
  // JSON has no big integers.
  return quoteText(
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ??
      'nothing',
  )
}

/** Text of a file that is short enough for a message. */
export function quoteText(text: string): string {
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text
}
