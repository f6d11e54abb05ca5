/** @file Where bytes of one file go. */

/**
 * One file that is being written. Nothing of it shows under its name before {@link ByteSink.commit}.
 */
export interface ByteSink {
  /** For messages: a file name or path. */
  readonly name: string
  /** Writes `bytes` at `offset`. They may be reused once the promise settles. */
  write(offset: number, bytes: Uint8Array): Promise<void>
  /** Puts the file in place, over an older one of its name. */
  commit(): Promise<void>
  /** Drops what was written; an older file of that name stays. Does nothing after `commit`. */
  abort(): Promise<void>
}
