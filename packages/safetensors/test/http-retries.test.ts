import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  FileError,
  openCheckpoint,
  openSafetensors,
  serializeSafetensors,
  urlFolder,
  urlSource,
} from '../src/index.ts'
import {
  URL_A,
  file,
  ranged,
  readLarge,
  server,
  status,
  waits,
  type Answer,
} from './fake-server.ts'
import { bytesOf, counting, messageOf, same } from './helpers.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

describe('a failure that passes', () => {
  const well: Answer = (call) => ranged(call)
  const once =
    (at: number, answer: Answer): Answer =>
    (call) =>
      call.n === at ? answer(call) : well(call)
  const failures: Record<string, Answer> = {
    'status 429': () => status(429),
    'status 408': () => status(408),
    'status 500': () => status(500),
    'status 503': () => status(503),
    'no connection': () => Promise.reject(new TypeError('fetch failed')),
    'a connection that is reset': () =>
      Promise.reject(
        new TypeError('fetch failed', {
          cause: Object.assign(new Error(), { code: 'ECONNRESET' }),
        }),
      ),
    'a body that breaks off': (call) => ranged(call, {}, file, 1000),
    'a body that ends early': ({ from, to }) =>
      new Response(file.slice(from, from + 1000), {
        status: 206,
        headers: {
          'content-range': `bytes ${from}-${Math.min(to, file.length) - 1}/${file.length}`,
        },
      }),
    'no answer': () => new Promise(() => undefined),
    'no body': ({ from, to }) =>
      new Response(new ReadableStream(), {
        status: 206,
        headers: {
          'content-range': `bytes ${from}-${Math.min(to, file.length) - 1}/${file.length}`,
        },
      }),
  }

  it.each(Object.entries(failures))('%s', async (_, failure) => {
    for (const at of [0, 1]) {
      let right = false
      await waits(async () => (right = await readLarge(once(at, failure))))
      expect(right).toBe(true)
    }
  })

  it.each(Object.entries(failures))('%s, again and again', async (_, failure) => {
    const { fetch, calls } = server(failure)
    let error: unknown
    await waits(() => urlSource(URL_A, { fetch }).catch((thrown: unknown) => (error = thrown)))
    expect(FileError.isInstance(error)).toBe(true)
    expect(calls.length).toBeGreaterThanOrEqual(3)
    expect(calls.length).toBeLessThanOrEqual(5)
    const single = server(failure)
    await waits(() => urlSource(URL_A, { fetch: single.fetch, retries: 0 }).catch(() => undefined))
    expect(single.calls).toHaveLength(1)
  })

  it('asks only for what is missing, and goes on for as long as something comes', async () => {
    const big = serializeSafetensors([['big', counting([9 << 20])]])
    const { fetch, calls } = server((call) => ranged(call, {}, big, 1 << 20))
    let bytes: Uint8Array | undefined
    await waits(async () => {
      const { source, tensors } = await openSafetensors(await urlSource(URL_A, { fetch }))
      const { offset = 0 } = tensors.get('big') ?? {}
      bytes = await source.read(offset, 9 << 20)
    })
    expect(same(bytes, bytesOf(counting([9 << 20])))).toBe(true)
    expect(calls.slice(1).map(({ from }) => from - (calls[1]?.from ?? 0))).toEqual(
      Array.from({ length: 9 }, (_, i) => i << 20),
    )
  })

  it('goes on after answers that are shorter than asked for', async () => {
    const short: Answer = (call) => ranged({ ...call, to: Math.min(call.to, call.from + 100_000) })
    let right = false
    await waits(async () => (right = await readLarge(short)))
    expect(right).toBe(true)
  })

  it.each([
    ['in seconds', '7', 7000],
    ['as a date', () => new Date(Date.now() + 9000).toUTCString(), 9000],
    ['in the past', 'Mon, 01 Jan 2024 00:00:00 GMT', 0],
    ['far too long', '86400', 60_000],
  ])('waits as Retry-After says, %s', async (_, value, expected) => {
    const wait = await waits(() =>
      readLarge(
        once(0, () => status(503, { 'retry-after': typeof value === 'string' ? value : value() })),
      ),
    )
    // Dates have no fractions of a second.
    expect(Math.abs(wait - expected)).toBeLessThanOrEqual(1100)
  })

  it('waits longer each time without it', async () => {
    const wait = await waits(() => readLarge((call) => (call.n < 4 ? status(503) : well(call))))
    expect(wait).toBeGreaterThanOrEqual(3750 / 2)
    expect(wait).toBeLessThanOrEqual(4100)
  })
})

describe('no progress', () => {
  // Five bytes a second: an answer of 64 KiB would take hours.
  const drip: Answer = ({ from, to }) => {
    const body = new ReadableStream({
      pull: async (controller) => {
        await new Promise((done) => setTimeout(done, 200))
        controller.enqueue(new Uint8Array(1))
      },
    })
    const range = `bytes ${from}-${Math.min(to, file.length) - 1}/${file.length}`
    return new Response(body, { status: 206, headers: { 'content-range': range } })
  }

  it.each([
    ['no answer', () => new Promise<Response>(() => undefined), 10_000, {}],
    ['a trickle', drip, 10_000, {}],
    ['a trickle, and a limit of one second', drip, 1000, { timeout: 1000 }],
  ])('%s ends', async (_, answer, timeout, options) => {
    const { fetch } = server(answer)
    let message = ''
    const wait = await waits(async () => {
      message = await messageOf(() => urlSource(URL_A, { ...options, fetch, retries: 0 }))
    })
    expect(message).toContain(
      `got no progress in ${timeout / 1000} s. Try again, or allow more time`,
    )
    expect(Math.abs(wait - timeout)).toBeLessThanOrEqual(100)
  })

  it('a slow answer is given its time, and none is limited by 0', async () => {
    const late: Answer = async (call) => {
      await new Promise((done) => setTimeout(done, 9000))
      return ranged(call)
    }
    await waits(async () => expect(await readLarge(late, { retries: 0 })).toBe(true))
    const later: Answer = async (call) => {
      await new Promise((done) => setTimeout(done, 1e6))
      return ranged(call)
    }
    await waits(async () => expect(await readLarge(later, { retries: 0, timeout: 0 })).toBe(true))
  })
})

describe('a signal', () => {
  const signals: (AbortSignal | null | undefined)[] = []
  const hanging: Answer = () => new Promise(() => undefined)
  /** What `work` rejects with, aborted on its way and before, is the signal's reason. */
  const givesReason = async (
    work: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<readonly boolean[]> => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const done = work(controller.signal).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(100)
    controller.abort(reason)
    const before = work(AbortSignal.abort(reason)).catch((error: unknown) => error)
    return [(await done) === reason, (await before) === reason]
  }
  const BOTH = [true, true]

  it('ends requests and waits of a source and of a folder', async () => {
    for (const answer of [hanging, () => status(503, { 'retry-after': '60' })]) {
      const { fetch } = server(answer)
      expect(await givesReason((signal) => urlSource(URL_A, { fetch, signal }))).toEqual(BOTH)
      expect(
        await givesReason((signal) =>
          openCheckpoint(urlFolder('https://host.example', { fetch, signal })),
        ),
      ).toEqual(BOTH)
      expect(
        await givesReason((signal) =>
          openCheckpoint(urlFolder('https://host.example', { fetch }), { signal }),
        ),
      ).toEqual(BOTH)
      expect(
        await givesReason((signal) =>
          urlFolder('https://host.example', { fetch }).readText('config.json', { signal }),
        ),
      ).toEqual(BOTH)
    }
  })

  it('ends the reading of a tensor, of several, and of bytes', async () => {
    const answer: Answer = (call) => (call.from === 0 ? ranged(call) : hanging(call))
    const { fetch } = server(answer)
    const folder = urlFolder('https://host.example', { fetch })
    const checkpoint = await openCheckpoint(folder)
    const opened = checkpoint.files.get('model.safetensors')
    expect(
      await givesReason((signal) => checkpoint.read('large', { formats: [], signal })),
    ).toEqual(BOTH)
    expect(await givesReason((signal) => checkpoint.entries({ signal }).next())).toEqual(BOTH)
    expect(
      await givesReason((signal) => opened?.read('large', { signal }) ?? Promise.resolve()),
    ).toEqual(BOTH)
    expect(
      await givesReason(
        (signal) => opened?.source.read(70_000, 9, { signal }) ?? Promise.resolve(),
      ),
    ).toEqual(BOTH)
  })

  it('reaches fetch, also when a loop over tensors is left early', async () => {
    const two = serializeSafetensors([
      ['a', counting([5 << 20])],
      ['b', counting([5 << 20])],
    ])
    const { fetch } = server((call) =>
      call.from < 5 << 20 ? ranged(call, {}, two) : hanging(call),
    )
    const watching: typeof globalThis.fetch = (url, init) => {
      signals.push(init?.signal)
      return fetch(url, init)
    }
    const checkpoint = await openCheckpoint(urlFolder('https://host.example', { fetch: watching }))
    for await (const _ of checkpoint.entries()) break
    expect(signals).toHaveLength(3)
    expect(signals.every((signal) => signal?.aborted)).toBe(true)
  })
})
