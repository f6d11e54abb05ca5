/** @file What a command may touch of its process, and what it gives back. */

/** What has to be undone when a run ends before its time, such as a folder of files half made. */
export type Cleanups = Set<() => Promise<void>>

/** A place for text: `process.stdout`, or a test's list of strings. */
export interface Output {
  write(text: string): unknown
  /** Whether a person watches: progress bars and colours are for them. */
  readonly isTTY?: boolean | undefined
}

/** Streams and the signal of one run. Tests bring their own. */
export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  /** What is piped in; read by who asks for it. */
  readonly stdin?: AsyncIterable<Uint8Array | string>
  /** Aborted when the user gives up (Ctrl-C). */
  readonly signal: AbortSignal
  /** What to do before the process ends where a command does not end by itself; commands add to it. */
  readonly cleanups?: Cleanups
}

/** What every command is given. */
export interface CommandContext extends Io {
  /** One JSON document goes to stdout and nothing else. */
  readonly json: boolean
}

/** What a command has to say: one value, in two forms. */
export interface Report {
  /** Printed with `--json`. Numbers that JSON lacks (infinite, NaN) become null. */
  readonly json: unknown
  /** Printed otherwise; called only then. */
  text(): string
  /** A last line on stderr, about the run and not its result. */
  readonly note?: string
}

/** Runs a command's work with the context of this call, and prints its report. */
export type Run = (work: (context: CommandContext) => Promise<Report>) => Promise<void>
