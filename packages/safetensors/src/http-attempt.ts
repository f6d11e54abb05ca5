/** @file One request after the other until one gets through: time limits, waits, and giving up. */

import { FileError, PACKAGE, reasonOf } from './errors.ts'

/** How long and how often a server is asked. */
export interface RetryOptions {
  /**
   * Milliseconds within which an answer must begin, and then bring 1 KiB or its end; 10,000 unless given.
   * 0 sets no limit.
   */
  readonly timeout?: number
  /**
   * How often a request is made again after one that failed for a reason that may pass: no connection, no
   * progress (which counts twice, as it has taken its time), a body that breaks off, HTTP status 408, 429
   * or 500 and above. 4 unless given. The waits between them grow from a quarter of a second; `Retry-After`
   * is honoured, up to a minute.
   */
  readonly retries?: number
  /** Ends requests and waits. What was asked for then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

const TIMEOUT = 10_000
const RETRIES = 4
const FIRST_WAIT = 250
const LONGEST_WAIT = 60_000
/** Timers count no further. */
const LONGEST_TIMEOUT = 2 ** 31 - 1
/** An answer that brings less within the time limit makes no progress. */
const PROGRESS_BYTES = 1024
/** After so many bytes that stay, a request counts as the first one again. */
const FRESH_BYTES = 1 << 20

/** A failure that may pass. */
export class Transient {
  readonly error: FileError
  /** Milliseconds to wait, where the server or the kind of failure says so. */
  readonly wait: number | undefined
  /** How many of the retries it takes. */
  readonly cost: number

  constructor(error: FileError, wait?: number, cost = 1) {
    this.error = error
    this.wait = wait
    this.cost = cost
  }
}

/** One try, which ends when its caller or the time says so. */
export class Attempt {
  /** For `fetch`. */
  readonly signal: AbortSignal
  /** Bytes that need not be asked for again. */
  kept = 0
  readonly #controller = new AbortController()
  readonly #aborted: Promise<never>
  readonly #timeout: number
  readonly #unlink: (() => void)[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #since = 0

  constructor(timeout: number, signals: readonly AbortSignal[]) {
    this.signal = this.#controller.signal
    this.#timeout = timeout
    this.#aborted = new Promise((_, reject) => {
      this.signal.addEventListener('abort', () => reject(this.signal.reason as Error))
    })
    this.#aborted.catch(() => undefined)
    for (const signal of signals) {
      const abort = (): void => this.#controller.abort(signal.reason)
      if (signal.aborted) abort()
      signal.addEventListener('abort', abort)
      this.#unlink.push(() => signal.removeEventListener('abort', abort))
    }
    this.received(PROGRESS_BYTES)
  }

  /** Waits for `work`, whether or not it knows how to stop. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#aborted])
  }

  /** Tells of bytes that came: the time limit begins anew. */
  received(bytes: number): void {
    this.#since += bytes
    if (this.#since < PROGRESS_BYTES) return
    this.#since = 0
    clearTimeout(this.#timer)
    if (this.#timeout > LONGEST_TIMEOUT || this.#timeout === 0) return
    this.#timer = setTimeout(() => this.#controller.abort(new NoProgress()), this.#timeout)
  }

  /** What `error`, thrown while this was waited for, means: one to try again after, or a last one. */
  failure(error: unknown, url: string, expected: string): unknown {
    const { reason } = this.signal
    if (this.signal.aborted && !(reason instanceof NoProgress)) return reason
    if (reason instanceof NoProgress) {
      const got = `no progress in ${this.#timeout / 1000} s`
      return new Transient(
        failed(url, expected, got, 'Try again, or allow more time with the option `timeout`.'),
        0,
        2,
      )
    }
    const cause = (error as Error | undefined)?.cause
    const why = cause instanceof Error && cause.message !== '' ? ` (${cause.message})` : ''
    const cure = `Check the address and the connection${why}.`
    const found = failed(url, expected, reasonOf(error), cure, error)
    return mayPass(error) ? new Transient(found) : found
  }

  end(): void {
    clearTimeout(this.#timer)
    for (const unlink of this.#unlink) unlink()
    // Lets go of a body that nobody reads any more.
    if (!this.signal.aborted) this.#controller.abort()
  }
}

class NoProgress extends Error {}

/** Codes of Node for connections that fail or break. Browsers give none. */
const PASSING_CODE = /^(?:E(?:CONN|TIMEDOUT|PIPE|AI_AGAIN|NET|HOST)|UND_ERR_)/

function mayPass(error: unknown): boolean {
  const { name, cause } = error as { name?: string; cause?: { code?: unknown } }
  if (name === 'AbortError' || name === 'TimeoutError') return false
  if (cause === undefined) return true
  return typeof cause.code === 'string' && PASSING_CODE.test(cause.code)
}

/**
 * The result of the first attempt that succeeds.
 *
 * @param signals - each ends it
 * @throws the error of the last attempt, or an aborted signal's reason
 */
export async function retrying<T>(
  { timeout = TIMEOUT, retries = RETRIES }: RetryOptions,
  signals: readonly AbortSignal[],
  work: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  for (let failures = 0; ;) {
    for (const signal of signals) signal.throwIfAborted()
    const attempt = new Attempt(timeout, signals)
    let failure: Transient
    try {
      return await work(attempt)
    } catch (error) {
      for (const signal of signals) signal.throwIfAborted()
      if (!(error instanceof Transient)) throw error
      failure = error
    } finally {
      attempt.end()
    }
    failures = (attempt.kept >= FRESH_BYTES ? 0 : failures) + failure.cost
    if (failures > retries) throw failure.error
    await sleep(failure.wait ?? FIRST_WAIT * 2 ** (failures - 1) * (1 - Math.random() / 2), signals)
  }
}

/** Milliseconds that `Retry-After` asks for, in seconds or as a date; undefined where it does not. */
export function retryAfter(response: Response): number | undefined {
  const text = response.headers.get('retry-after')
  if (text === null) return undefined
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST_WAIT)
}

function sleep(milliseconds: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const stops = signals.map((signal) => () => settle(() => reject(signal.reason as Error)))
    const timer = setTimeout(() => settle(resolve), milliseconds)
    const settle = (end: () => void): void => {
      clearTimeout(timer)
      signals.forEach((signal, i) => signal.removeEventListener('abort', stops[i] as () => void))
      end()
    }
    signals.forEach((signal, i) => signal.addEventListener('abort', stops[i] as () => void))
  })
}

/** An error about what came from `url`. Its query, which may be a signature, is left out. */
export function failed(
  url: string,
  expected: string,
  got: string,
  cure?: string,
  cause?: unknown,
): FileError {
  return new FileError({
    package: PACKAGE,
    expected: `${expected} at ${withoutQuery(url)}`,
    got,
    ...(cure === undefined ? {} : { cure }),
    cause,
  })
}

export function withoutQuery(url: string): string {
  return url.replace(/\?.*$/s, '?...')
}
