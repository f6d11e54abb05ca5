/** @file Exit codes, and how errors become messages. */

import { styleText } from 'node:util'
import { AoError } from '@ao/base-tensor'
import { fileErrorOf } from '@ao/safetensors/node'
import { Interrupted } from './interruption.ts'
import type { Output } from './io.ts'

/** What a process says at its end. */
export const EXIT = {
  ok: 0,
  /** Something is wrong with the input, or went wrong: a message stands on stderr. */
  error: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Ctrl-C; other signals have codes of their own, from 128 on. */
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
  options: { readonly verbose: boolean; readonly aborted: boolean; readonly reason?: unknown },
): number {
  if (options.aborted) {
    stderr.write('interrupted\n')
    return options.reason instanceof Interrupted ? options.reason.exitCode : EXIT.interrupted
  }
  const foreseen = asFileError(error)
  const message = messageOf(foreseen)
  stderr.write(`${stderr.isTTY === true ? styleText('red', 'error:') : 'error:'} ${message}\n`)
  if (options.verbose) stderr.write(`${stackOf(error)}\n`)
  else if (!AoError.isInstance(foreseen)) {
    stderr.write('This is not an error that ao foresaw. Run again with --verbose for its origin.\n')
  }
  return UsageError.isInstance(error) ? EXIT.usage : EXIT.error
}

/** What the operating system refuses gets a cure, wherever it comes from. */
function asFileError(error: unknown): unknown {
  const { code, syscall, path } = (error ?? {}) as Partial<NodeJS.ErrnoException>
  if (code === undefined || syscall === undefined || AoError.isInstance(error)) return error
  return fileErrorOf(error, `to be able to ${syscall} ${path ?? 'a file'}`)
}

/**
 * What to do on a command line where a library's message speaks to programs. A cure is looked up by what
 * it names.
 */
const CURES: readonly (readonly [named: string, cure: string])[] = [
  ['openCheckpointFile', 'Pass the path of a file that has another name.'],
  ['allowNonFinite', 'Repair the checkpoint, or give this weight null in an FqnToConfig file.'],
  ['onWarning', 'Write the config again with the version of torchao that is named.'],
  ['`formats`', 'ao inspect shows the classes in a checkpoint; ao cannot run this one.'],
  [
    "Turn compression off for it on the server, or give { withoutRanges: 'download' }",
    'Turn compression off for it on the server, or pass --without-ranges to load whole files into memory.',
  ],
  [
    'withoutRanges',
    'Use another server, or pass --without-ranges to load whole files into memory.',
  ],
  ['otherVersions', 'Try again once nobody changes the files, or download them first.'],
  ['the option `timeout`', 'Try again later, or download the files first.'],
  ['`headers`', 'Download the files first: ao sends no credentials.'],
  ['Index and shards', 'Write or download both again, or pass --ignore-unexpected.'],
  ["`unexpectedTensors: 'ignore'`", 'Correct config.json, or pass --ignore-unexpected.'],
  ["`unknownFields: 'ignore'`", 'Correct config.json, or pass --ignore-unexpected.'],
  [
    "`tokensWithoutEmbedding: 'ignore'`",
    'Resize the embedding, or remove the token; --ignore-unexpected goes on all the same.',
  ],
  ['`expected`', 'Keep one set of shards in the folder, and move the others away.'],
  ['`tensors`', 'ao inspect lists the names.'],
  ['packing format and list it', 'ao cannot pack weights so: choose another packing format.'],
  ['strict: false', 'Use a checkpoint of this model.'],
  ['allowRounding', 'Quantize the float model with this config instead.'],
  ['dequantize()', 'Use the checkpoint that it was made of.'],
  ['readBytes', 'Convert the checkpoint to float32, float16 or bfloat16 first.'],
]

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cure = AoError.isInstance(error) ? error.cure : undefined
  const own = CURES.find(([named]) => cure?.includes(named))
  return cure === undefined || !own ? error.message : error.message.replace(cure, () => own[1])
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const stack = error.stack ?? error.message
  return error.cause === undefined ? stack : `${stack}\nCaused by: ${stackOf(error.cause)}`
}
