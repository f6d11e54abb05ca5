import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
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
  broken,
  file,
  ranged,
  readLarge,
  server,
  status,
  waits,
  type Answer,
} from './fake-server.ts'
import { counting, messageOf } from './helpers.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

describe('versions of a file', () => {
  const LM = 'Mon, 01 Jan 2024 00:00:00 GMT'
  const LATER = 'Tue, 02 Jan 2024 00:00:00 GMT'
  /** Reads with one answer of `first`, and all later ones of `second`, or in turn. */
  const readBoth = (first: HeadersInit, second: HeadersInit, inTurn = false, options = {}) => {
    const headers = (n: number): HeadersInit =>
      n === 0 || (inTurn && n % 2 === 0) ? first : second
    return readLarge((call) => ranged(call, headers(call.n)), options)
  }

  it.each<[string, HeadersInit, HeadersInit]>([
    ['equal strong ETags', { etag: '"a"' }, { etag: '"a"' }],
    [
      'equal ETags, files copied later',
      { etag: '"a"', 'last-modified': LM },
      { etag: '"a"', 'last-modified': LATER },
    ],
    ['weak ETags that differ', { etag: 'W/"a"' }, { etag: 'W/"b"' }],
    [
      'weak ETags, one date',
      { etag: 'W/"a"', 'last-modified': LM },
      { etag: '"b"', 'last-modified': LM },
    ],
    ['one date', { 'last-modified': LM }, { 'last-modified': LM }],
    ['nothing', {}, {}],
  ])('are one by %s', async (_, first, second) => {
    expect(await readBoth(first, second)).toBe(true)
  })

  it.each<[string, HeadersInit, HeadersInit]>([
    ['strong ETags', { etag: '"a"', 'last-modified': LM }, { etag: '"b"', 'last-modified': LM }],
    ['dates', { 'last-modified': LM }, { 'last-modified': LATER }],
    [
      'dates beside weak ETags',
      { etag: 'W/"a"', 'last-modified': LM },
      { etag: 'W/"b"', 'last-modified': LATER },
    ],
    ['an ETag that was not there', {}, { etag: 'W/"b"' }],
    ['a date that was not there', {}, { 'last-modified': LM }],
    ['an ETag that is gone', { etag: '"a"' }, {}],
  ])('are told apart by %s', async (_, first, second) => {
    let message = ''
    await waits(async () => (message = await messageOf(() => readBoth(first, second))))
    expect(message).toContain('Expected the same file in every answer')
    expect(message).toContain(
      'got another one. Open it again. Where servers are known to hold the same',
    )
    // Servers behind one address take turns: the next one may be the first again.
    let right: unknown[] = []
    await waits(async () => {
      right = [
        await readBoth(first, second, true),
        await readBoth(first, second, false, { otherVersions: 'accept' }),
      ]
    })
    expect(right).toEqual([true, true])
  })

  it('are told apart by size, whatever is accepted', async () => {
    const longer = serializeSafetensors([['large', counting([300_001])]])
    const answer: Answer = (call) => ranged(call, {}, call.n === 0 ? file : longer)
    let message = ''
    await waits(async () => {
      message = await messageOf(() => readLarge(answer, { otherVersions: 'accept' }))
    })
    expect(message).toContain('got another one. Open it again.')
  })
})

describe('answers that cannot be', () => {
  it.each(['9223372036854775807', '9'.repeat(400)])('a size of %s', async (size) => {
    const { fetch } = server(({ from, to }) =>
      status(206, { 'content-range': `bytes ${from}-${to - 1}/${size}` }, 'x'),
    )
    expect(await messageOf(() => urlSource(URL_A, { fetch }))).toContain(
      "Expected a Content-Range of bytes from 0 with the file's size",
    )
  })

  it('a tensor for which there is no memory', async () => {
    const size = 2 ** 45
    const entry = { dtype: 'U8', shape: [size], data_offsets: [0, size] }
    const json = new TextEncoder().encode(JSON.stringify({ a: entry }))
    const start = new Uint8Array(65_536)
    new DataView(start.buffer).setBigUint64(0, BigInt(json.length), true)
    start.set(json, 8)
    const total = 8 + json.length + size
    const { fetch } = server(
      ({ from, to }) =>
        new Response(from === 0 ? start : 'x', {
          status: 206,
          headers: { 'content-range': `bytes ${from}-${to - 1}/${total}` },
        }),
    )
    const opened = await openSafetensors(await urlSource(URL_A, { fetch }))
    const error = await opened.readBytes('a').catch((thrown: unknown) => thrown)
    expect(FileError.isInstance(error)).toBe(true)
    expect((error as Error).message).toContain(`Expected memory for ${size} bytes of ${URL_A}`)
  })

  it('ranges of compressed bytes: named, or the whole file instead', async () => {
    const answer: Answer = (call) =>
      call.to === Infinity ? new Response(file) : ranged(call, { 'content-encoding': 'br' })
    expect(await messageOf(() => readLarge(answer))).toContain(
      'Expected ranges of the file itself at https://host.example/m/model.safetensors, got ranges of its br form (Content-Encoding).',
    )
    expect(await readLarge(answer, { withoutRanges: 'download' })).toBe(true)
  })

  it('ranges of a size that the server does not know: the whole file instead', async () => {
    const answer: Answer = (call) =>
      call.to === Infinity
        ? new Response(file)
        : new Response('x', { status: 206, headers: { 'content-range': 'bytes 0-0/*' } })
    expect(await readLarge(answer, { withoutRanges: 'download' })).toBe(true)
  })

  it('a download that breaks off begins again, and not for ever', async () => {
    const whole = (n: number): Response => new Response(n < 2 ? broken(file.slice(0, 5)) : file)
    let right = false
    await waits(async () => {
      right = await readLarge(({ n }) => whole(n), { withoutRanges: 'download' })
    })
    expect(right).toBe(true)
    const { fetch, calls } = server(() => new Response(broken(new Uint8Array(2 << 20))))
    await waits(() => messageOf(() => urlSource(URL_A, { fetch, withoutRanges: 'download' })))
    expect(calls).toHaveLength(5)
  })

  it('a pointer of Git LFS in place of a text or of weights', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'
    const { fetch } = server(() => new Response(pointer))
    const folder = urlFolder('https://h.example', { fetch, withoutRanges: 'download' })
    for (const read of [() => folder.readText('tokenizer.json'), () => openCheckpoint(folder)]) {
      expect(await messageOf(read)).toMatch(/got a pointer of Git LFS, .* `git lfs pull`/)
    }
  })
})

describe('text without an end', () => {
  beforeEach(() => void vi.useRealTimers())

  it.each<[string, RequestListener]>([
    [
      'sent as it is',
      (_, response) => {
        const chunk = Buffer.alloc(1 << 20, ' ')
        const more = (): void => void (response.destroyed || response.write(chunk, more))
        more()
      },
    ],
    [
      'announced',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1e12 })
        response.write(' ')
      },
    ],
    [
      'compressed',
      (_, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' })
        response.end(gzipSync(Buffer.alloc(200 << 20, ' '), { level: 1 }))
      },
    ],
  ])('ends at the limit: %s', async (_, listener) => {
    const running = createServer(listener)
    await new Promise<void>((done) => running.listen(0, '127.0.0.1', done))
    const { port } = running.address() as AddressInfo
    try {
      const folder = urlFolder(`http://127.0.0.1:${port}`)
      const message = await messageOf(() => folder.readText('model.safetensors.index.json'))
      expect(message).toContain('Expected at most 100000000 bytes at http://127.0.0.1')
    } finally {
      running.closeAllConnections()
      running.close()
    }
  })
})
