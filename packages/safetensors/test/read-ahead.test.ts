import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ByteSource } from '../src/byte-source.ts'
import { ReadAhead, type ByteRange } from '../src/read-ahead.ts'
import { messageOf } from './helpers.ts'

const MIB = 2 ** 20

/** A file whose bytes tell where they lie, in short reads. It counts what is asked of it. */
class WatchedSource implements ByteSource {
  readonly name = 'watched'
  readonly size = 2 ** 40
  readonly requests: [offset: number, length: number][] = []
  readonly remote: boolean
  running = 0
  mostRunning = 0

  constructor(remote: boolean) {
    this.remote = remote
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.requests.push([offset, length])
    this.mostRunning = Math.max(this.mostRunning, ++this.running)
    await new Promise(setImmediate)
    this.running--
    const bytes = new Uint8Array(length)
    if (length < MIB) bytes.forEach((_, i) => (bytes[i] = (offset + i) % 251))
    return bytes
  }

  async close(): Promise<void> {}
}

const rangesOf = (source: ByteSource, ...list: [offset: number, length: number][]): ByteRange[] =>
  list.map(([offset, length]) => ({ source, offset, length }))

async function readAll(ranges: readonly ByteRange[]): Promise<Uint8Array[]> {
  const reader = new ReadAhead(ranges)
  const parts: Uint8Array[] = []
  for (let i = 0; i < ranges.length; i++) parts.push(await reader.next())
  return parts
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
}

describe('reading ahead', () => {
  it('gives the bytes of any ranges in any order, few at once', () => {
    const range = fc.record({
      file: fc.nat(2),
      offset: fc.oneof(fc.nat(300), fc.nat(300_000)),
      length: fc.nat(60),
    })
    return fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 40 }), async (list) => {
        const sources = [true, true, false].map((remote) => new WatchedSource(remote))
        const ranges = list.map(({ file, ...range }): ByteRange => {
          return { source: sources[file] as WatchedSource, ...range }
        })
        const parts = await readAll(ranges)
        parts.forEach((part, i) => {
          const { offset, length } = ranges[i] as ByteRange
          expect([...part]).toEqual(Array.from({ length }, (_, j) => (offset + j) % 251))
        })
        expect(new Set(parts.map(({ buffer }) => buffer)).size).toBe(parts.length)
        const local = ranges.filter(({ source }) => source.remote !== true)
        expect(sources[2]?.requests).toEqual(local.map(({ offset, length }) => [offset, length]))
      }),
    )
  })

  it('joins remote ranges that lie close together, in the order of the file', async () => {
    const source = new WatchedSource(true)
    await readAll(rangesOf(source, [5000, 1000], [100, 900], [70_000, 10], [1000, 4000]))
    expect(source.requests).toEqual([[100, 69_910]])
    source.requests.length = 0
    await readAll(rangesOf(source, [0, 10], [10 + 65_536, 10], [20 + 2 * 65_536 + 1, 10]))
    expect(source.requests).toEqual([
      [0, 65_556],
      [131_093, 10],
    ])
  })

  it('cuts what it joins into requests of 4 MiB, four at once', async () => {
    const source = new WatchedSource(true)
    const list = Array.from({ length: 64 }, (_, i): [number, number] => [i * MIB, MIB])
    await readAll(rangesOf(source, ...list))
    expect(source.requests).toEqual(Array.from({ length: 16 }, (_, i) => [4 * i * MIB, 4 * MIB]))
    expect(source.mostRunning).toBe(4)
  })

  it('holds 32 MiB at most while nobody goes on reading', async () => {
    const source = new WatchedSource(true)
    const list = Array.from({ length: 64 }, (_, i): [number, number] => [i * MIB, MIB])
    const reader = new ReadAhead(rangesOf(source, ...list))
    await reader.next()
    await settled()
    expect(source.requests).toHaveLength(8)
    for (let i = 0; i < 3; i++) await reader.next()
    await settled()
    expect(source.requests).toHaveLength(9)
  })

  it('reads ranges larger than that one by one', async () => {
    const source = new WatchedSource(true)
    const reader = new ReadAhead(rangesOf(source, [0, 40 * MIB], [40 * MIB, 33 * MIB]))
    await reader.next()
    await settled()
    expect(source.requests).toHaveLength(1)
    expect((await reader.next()).length).toBe(33 * MIB)
  })

  it('reads nothing of a local file before it is asked for', async () => {
    const source = new WatchedSource(false)
    const reader = new ReadAhead(rangesOf(source, [0, 10], [10, 10]))
    await settled()
    expect(source.requests).toEqual([])
    await reader.next()
    await settled()
    expect(source.requests).toEqual([[0, 10]])
  })

  it('throws an error where the range is asked for, and starts nothing once stopped', async () => {
    const source = new WatchedSource(true)
    const { read } = source
    source.read = async (offset, length) => {
      if (offset === 4 * MIB) throw new Error('gone')
      return read.call(source, offset, length)
    }
    const list = Array.from({ length: 24 }, (_, i): [number, number] => [4 * i * MIB, 4 * MIB])
    const reader = new ReadAhead(rangesOf(source, ...list))
    expect((await reader.next()).length).toBe(4 * MIB)
    await settled()
    expect(await messageOf(() => reader.next())).toBe('gone')
    const before = source.requests.length
    reader.stop()
    await reader.next()
    await settled()
    expect(source.requests).toHaveLength(before)
  })
})
