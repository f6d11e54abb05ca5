/** @file Exit codes, and how errors become messages. */

import { styleText } from 'node:util'
import { AoError } from '@ao/base-tensor'
import type { Output } from './io.ts'

/** What a process says at its end. */
export const EXIT = {
  ok: 0,
  /** Something is wrong with the input, or went wrong: a message stands on stderr. */
  error: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const

/** A command line that makes no sense; the cure is in the message. */
export class UsageError extends AoError {
  static override readonly errorName: string = 'UsageError'
}

/** A {@link UsageError} of this package. */
export function usageError(expected: string, got: string, cure: string): UsageError {
  return new UsageError({ package: '@ao/cli', expected, got, cure })
}

/** Writes what `error` says to `stderr` and returns the exit code for it. */
export function reportError(
  error: unknown,
  stderr: Output,
  options: { readonly verbose: boolean; readonly aborted: boolean },
): number {
  if (options.aborted) {
    stderr.write('interrupted\n')
    return EXIT.interrupted
  }
  const message = error instanceof Error ? error.message : String(error)
  stderr.write(`${stderr.isTTY === true ? styleText('red', 'error:') : 'error:'} ${message}\n`)
  if (options.verbose) stderr.write(`${stackOf(error)}\n`)
  else if (!AoError.isInstance(error)) {
    stderr.write('This is not an error that ao foresaw. Run again with --verbose for its origin.\n')
  }
  return UsageError.isInstance(error) ? EXIT.usage : EXIT.error
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const stack = error.stack ?? error.message
  return error.cause === undefined ? stack : `${stack}\nCaused by: ${stackOf(error.cause)}`
}
