/**
 * @file Reading ranges in a known order. From a server each read costs a round trip, so there
 * neighbouring ranges come in one request, some requests run at once, and the next ones have begun
 * while their forerunners are worked on.
 */

import type { ByteSource } from './byte-source.ts'

/** Bytes of one file. */
export interface ByteRange {
  readonly source: ByteSource
  readonly offset: number
  readonly length: number
}

/** A stretch of a file that holds one range or several. */
interface Request {
  readonly source: ByteSource
  readonly offset: number
  length: number
  ranges: number
  /** Ranges of it that were given out. */
  given: number
  /** Undefined before the request has its turn, and once all of it is read. */
  bytes: Promise<Uint8Array<ArrayBuffer>> | undefined
}

/** Bytes of remote files that are held or asked for, unless a single range is larger. */
const WINDOW_BYTES = 32 << 20
const REQUESTS_AT_ONCE = 4

/** The bytes of many ranges, in the order in which they were given. */
export class ReadAhead {
  readonly #ranges: readonly ByteRange[]
  readonly #requests: readonly Request[]
  /** Number of the request that each range is in. */
  readonly #requestOf: readonly number[]
  /** Each request waits for the one before it in its lane. */
  readonly #lanes: Promise<unknown>[] = new Array(REQUESTS_AT_ONCE).fill(Promise.resolve())
  #given = 0
  #started = 0
  #heldBytes = 0
  readonly #stop = new AbortController()

  /** @param signal - ends requests, also those that have begun */
  constructor(ranges: readonly ByteRange[], signal?: AbortSignal) {
    if (signal?.aborted === true) this.#stop.abort(signal.reason)
    signal?.addEventListener('abort', () => this.#stop.abort(signal.reason), {
      signal: this.#stop.signal,
    })
    const { requests, requestOf } = planRequests(ranges)
    this.#ranges = ranges
    this.#requests = requests
    this.#requestOf = requestOf
  }

  /** The bytes of the next range, as new memory. Call it once for each range, one after the other. */
  async next(): Promise<Uint8Array<ArrayBuffer>> {
    const i = this.#given++
    const { offset, length } = this.#ranges[i] as ByteRange
    const wanted = this.#requestOf[i] as number
    this.#start(wanted)
    const request = this.#requests[wanted] as Request
    const bytes = (await request.bytes) as Uint8Array<ArrayBuffer>
    if (++request.given === request.ranges) {
      request.bytes = undefined
      this.#heldBytes -= request.length
      this.#start()
    }
    const from = offset - request.offset
    return request.ranges === 1 ? bytes : bytes.slice(from, from + length)
  }

  /** Ends the requests that have begun, and starts no further one. */
  stop(): void {
    this.#stop.abort()
  }

  /** Starts requests up to the `wanted` one, and those to remote files that the window has room for. */
  #start(wanted = -1): void {
    for (let i = this.#started; i < this.#requests.length; i++) {
      const request = this.#requests[i] as Request
      const fits = this.#heldBytes + request.length <= WINDOW_BYTES
      if (i > wanted && !(fits && request.source.remote === true)) return
      const lane = i % REQUESTS_AT_ONCE
      const { source, offset, length } = request
      const { signal } = this.#stop
      request.bytes = (this.#lanes[lane] as Promise<unknown>).then(() => {
        signal.throwIfAborted()
        return source.read(offset, length, { signal })
      })
      // The lane keeps no bytes alive, and goes on after an error, which next() throws.
      this.#lanes[lane] = request.bytes.then(ignore, ignore)
      this.#heldBytes += length
      this.#started = i + 1
    }
  }
}

function ignore(): void {}

/** Bytes within which ranges are put in the order of the file: half the window. */
const BATCH_BYTES = WINDOW_BYTES / 2
/** Several requests at once fill a connection better than one with a long answer. */
const REQUEST_BYTES = 4 << 20
/** Between two ranges, so much is cheaper to read and drop than to ask around. */
const GAP_BYTES = 64 << 10

interface RequestPlan {
  readonly requests: Request[]
  /** Index in `requests`, for each range. */
  readonly requestOf: number[]
}

/** Ranges of remote files in batches; each range of a local one by itself, when its turn comes. */
function planRequests(ranges: readonly ByteRange[]): RequestPlan {
  const plan: RequestPlan = { requests: [], requestOf: [] }
  let batch: number[] = []
  let room = 0
  for (const [i, { source, length }] of ranges.entries()) {
    if (source.remote !== true || length > room) {
      planBatch(ranges, batch, plan)
      batch = []
      room = source.remote === true ? BATCH_BYTES : 0
    }
    batch.push(i)
    room -= length
  }
  planBatch(ranges, batch, plan)
  return plan
}

/** Adds the requests for the ranges with these indices: ranges that lie close together become one. */
function planBatch(
  ranges: readonly ByteRange[],
  batch: readonly number[],
  plan: RequestPlan,
): void {
  const range = (i: number): ByteRange => ranges[i] as ByteRange
  const sources = [...new Set(batch.map((i) => range(i).source))]
  for (const source of sources) {
    const own = batch.filter((i) => range(i).source === source)
    let last: Request | undefined
    for (const i of own.sort((a, b) => range(a).offset - range(b).offset)) {
      const { offset, length } = range(i)
      if (!last || !join(last, offset, length)) {
        last = { source, offset, length, ranges: 1, given: 0, bytes: undefined }
        plan.requests.push(last)
      }
      plan.requestOf[i] = plan.requests.length - 1
    }
  }
}

/** Lets `request` hold one range more, unless that lies too far behind it or makes it too long. */
function join(request: Request, offset: number, length: number): boolean {
  const end = request.offset + request.length
  const joined = Math.max(end, offset + length) - request.offset
  if (offset - end > GAP_BYTES || joined > REQUEST_BYTES) return false
  request.length = joined
  request.ranges++
  return true
}
