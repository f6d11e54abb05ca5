/** @file How a signal ends the process: clean-up first, then a message, then the exit code of that signal. */

import { constants } from 'node:os'
import type { Cleanups, Output } from './io.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Signal = (typeof SIGNALS)[number]

/** The reason of an aborted run: Ctrl-C, or a signal that another process sent. */
export class Interrupted extends Error {
  /** What the process ends with: 128 and the number of the signal, as in a shell. */
  readonly exitCode: number

  constructor(signal: Signal) {
    super(`interrupted by ${signal}`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

export type { Cleanups }

export interface InterruptOptions {
  readonly abort: AbortController
  readonly cleanups: Cleanups
  readonly stderr: Output
  /** Whether the run has ended by itself, with what it has to say. */
  readonly isOver: () => boolean
}

/**
 * Milliseconds in which signals count as one. In a terminal, Ctrl-C reaches all processes of a command, and
 * npm sends it on once more.
 */
const ONE_PRESS = 400
/** Milliseconds for a command to stop where it is; what still waits then is not waited for. */
const PATIENCE = 1000

const SHOW_CURSOR = '\u001B[?25h'
const CLEAR_LINE = '\r\u001B[K'

/** From now on, the first signal stops the run and a second one ends the process at once. */
export function handleSignals(options: InterruptOptions): void {
  const { abort, stderr } = options
  let first: number | undefined
  const handler = (signal: Signal): void => {
    const now = performance.now()
    if (first !== undefined) {
      if (now - first >= ONE_PRESS) process.exit(new Interrupted(signal).exitCode)
      return
    }
    first = now
    const reason = new Interrupted(signal)
    if (stderr.isTTY === true) stderr.write(SHOW_CURSOR)
    setTimeout(() => void giveUp(options, reason), PATIENCE).unref()
    // Without a handler the system ends the process, whatever it computes.
    setTimeout(() => SIGNALS.forEach((each) => process.off(each, handler)), ONE_PRESS).unref()
    abort.abort(reason)
  }
  for (const signal of SIGNALS) process.on(signal, handler)
}

/** Ends the process though the command has not ended, once all is cleaned up. */
async function giveUp(options: InterruptOptions, { exitCode }: Interrupted): Promise<void> {
  const { cleanups, isOver, stderr } = options
  await Promise.allSettled([...cleanups].map((cleanup) => cleanup()))
  // Where that was a result that has just come into its place, the command says so.
  await new Promise((done) => setTimeout(done, 50))
  if (isOver()) return
  stderr.write(`${stderr.isTTY === true ? CLEAR_LINE : ''}interrupted\n`)
  process.exit(exitCode)
}
