/**
 * @file The zip that `torch.save` writes: entries that are stored as they are, and a directory at the end.
 *
 *     [local header, name, padding][bytes of entry 0][descriptor] ... [directory][zip64 end][end]
 *
 * Only the directory is believed about names and sizes. It is read strictly: what other readers could take
 * in another way is refused.
 */

import type { ByteSource, ReadOptions } from '@ao/safetensors'
import { DAMAGED, quote, refuse } from './errors.ts'
import { MAX_DIRECTORY_BYTES, MAX_ENTRIES } from './limits.ts'

/** An entry, whose bytes lie in the file as they are. */
export interface ZipEntry {
  readonly name: string
  /** Where its bytes begin in the file. */
  readonly offset: number
  readonly size: number
  /** CRC-32 of the bytes. */
  readonly crc: number
}

/** Entries by name, in the order of their bytes. */
export type ZipEntries = ReadonlyMap<string, ZipEntry>

const END_BYTES = 22
const END_SIGN = 0x06054b50
const LOCATOR_BYTES = 20
const LOCATOR_SIGN = 0x07064b50
const END64_BYTES = 56
const END64_SIGN = 0x06064b50
const ENTRY_BYTES = 46
const ENTRY_SIGN = 0x02014b50
const LOCAL_BYTES = 30
const LOCAL_SIGN = 0x04034b50
const LONGEST_COMMENT = 0xffff
const NONE32 = 0xffffffff

const SAVE_AGAIN = 'Save it again with torch.save.'
const HAS_DESCRIPTOR = 8
const IS_ENCRYPTED = 1

/** Of methods that zips are often written with. */
const METHODS: Readonly<Record<number, string>> = { 8: 'deflate', 9: 'deflate64', 93: 'zstd' }

/**
 * Reads the directory of a zip, and where the bytes of each entry begin.
 *
 * @throws {@link FormatError} for a directory that is damaged or contradicts itself: entries that overlap, names
 * that come twice or lead out of the zip, compressed or encrypted entries
 */
export async function readZip(source: ByteSource, options?: ReadOptions): Promise<ZipEntries> {
  const { directory, offset, count } = await readEnd(source, options)
  const found = parseDirectory(directory, count, offset, source.name)
  const places = await locate(source, found, offset, options)
  const entries = new Map<string, ZipEntry>()
  for (const [i, { name, size, crc }] of found.entries()) {
    entries.set(name, { name, size, crc, offset: places[i] as number })
  }
  return entries
}

interface End {
  readonly directory: Uint8Array
  /** Where the directory begins, and entries end. */
  readonly offset: number
  /** Entries in it. */
  readonly count: number
}

/** Finds the directory by the record at the end of the file; both are often in what is read first. */
async function readEnd(source: ByteSource, options?: ReadOptions): Promise<End> {
  const { name, size } = source
  const length = Math.min(size, END_BYTES + LONGEST_COMMENT)
  const start = size - length
  const tail = await source.read(start, length, options)
  const read = async (from: number, bytes: number): Promise<Uint8Array> =>
    from >= start
      ? tail.subarray(from - start, from - start + bytes)
      : source.read(from, bytes, options)
  const at = findEnd(viewOf(tail))
  if (at === undefined) return refuse(`${name} to end with the directory of a zip`, 'none', DAMAGED)
  const end = new DataView(tail.buffer, tail.byteOffset + at, END_BYTES)
  const disks = [end.getUint16(4, true), end.getUint16(6, true)]
  let fields = {
    count: end.getUint16(10, true),
    bytes: end.getUint32(12, true),
    offset: end.getUint32(16, true),
  }
  let limit = start + at
  const place = limit - LOCATOR_BYTES
  const locator = place < 0 ? undefined : viewOf(await read(place, LOCATOR_BYTES))
  if (locator?.getUint32(0, true) === LOCATOR_SIGN) {
    limit = uint64(locator, 8)
    const end64 = limit + END64_BYTES === place ? viewOf(await read(limit, END64_BYTES)) : undefined
    if (end64?.getUint32(0, true) !== END64_SIGN) {
      return refuse(`${name} to have a zip64 record before its locator`, 'none', DAMAGED)
    }
    disks.push(end64.getUint32(16, true), end64.getUint32(20, true))
    const wide = { count: uint64(end64, 32), bytes: uint64(end64, 40), offset: uint64(end64, 48) }
    const isSame = (field: keyof typeof wide, none: number): boolean =>
      fields[field] === none || fields[field] === wide[field]
    if (!isSame('count', 0xffff) || !isSame('bytes', NONE32) || !isSame('offset', NONE32)) {
      refuse(`both end records of ${name} to say the same`, 'two directories', DAMAGED)
    }
    fields = wide
  }
  const { count, bytes, offset } = fields
  if (disks.some((disk) => disk !== 0)) {
    refuse(`${name} to be a zip in one file`, 'a part of one', SAVE_AGAIN)
  }
  if (offset + bytes !== limit) {
    const got = `one of ${bytes} bytes at ${offset}, with ${limit} behind it`
    refuse(`the directory of ${name} to reach to its end record`, got, DAMAGED)
  }
  if (bytes > MAX_DIRECTORY_BYTES || count > MAX_ENTRIES || count * ENTRY_BYTES > bytes) {
    const most = `${MAX_ENTRIES} entries in ${MAX_DIRECTORY_BYTES} bytes at most, ${ENTRY_BYTES} or more for each`
    refuse(`the directory of ${name} to have ${most}`, `${count} in ${bytes}`, DAMAGED)
  }
  return { directory: await read(offset, bytes), offset, count }
}

/** Where the end record is: its comment reaches to the end of the file. */
function findEnd(tail: DataView): number | undefined {
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
    const isEnd = tail.getUint32(at, true) === END_SIGN
    if (isEnd && at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength) return at
  }
  return undefined
}

interface DirectoryEntry {
  readonly name: string
  readonly nameBytes: number
  readonly flags: number
  readonly size: number
  readonly crc: number
  /** Where its local header is. */
  readonly header: number
  readonly isLarge: boolean
}

/** The entries of a directory in the order of their bytes. */
function parseDirectory(
  bytes: Uint8Array,
  count: number,
  end: number,
  file: string,
): DirectoryEntry[] {
  const view = viewOf(bytes)
  const entries: DirectoryEntry[] = []
  const names = new Set<string>()
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > bytes.length || view.getUint32(at, true) !== ENTRY_SIGN) {
      refuse(`entry ${i} in the directory of ${file}`, 'other bytes', DAMAGED)
    }
    const nameBytes = view.getUint16(at + 28, true)
    const extraAt = at + ENTRY_BYTES + nameBytes
    const extraEnd = extraAt + view.getUint16(at + 30, true)
    const next = extraEnd + view.getUint16(at + 32, true)
    if (next > bytes.length)
      refuse(`entry ${i} of ${file} to end in its directory`, 'more', DAMAGED)
    const name = decodeName(bytes.subarray(at + ENTRY_BYTES, extraAt), file)
    if (names.has(name)) {
      refuse(`names that come once in ${file}`, `${quote(name)} twice`, SAVE_AGAIN)
    }
    names.add(name)
    const entry = {
      ...readEntry(view, at, extraAt, extraEnd, `${quote(name)} in ${file}`),
      name,
      nameBytes,
    }
    if (entry.header + LOCAL_BYTES + nameBytes + entry.size > end) {
      refuse(`${quote(name)} to lie in ${file}`, `${entry.size} bytes at ${entry.header}`, DAMAGED)
    }
    entries.push(entry)
    at = next
  }
  if (at !== bytes.length) refuse(`${count} entries in the directory of ${file}`, 'more', DAMAGED)
  entries.sort((a, b) => a.header - b.header)
  entries.forEach(({ name, header, nameBytes, size }, i) => {
    const next = entries[i + 1]
    if (!next || header + LOCAL_BYTES + nameBytes + size <= next.header) return
    refuse(
      `entries of ${file} apart from each other`,
      `${quote(name)} and ${quote(next.name)} that overlap`,
      SAVE_AGAIN,
    )
  })
  return entries
}

function readEntry(
  view: DataView,
  at: number,
  extraAt: number,
  extraEnd: number,
  what: string,
): Omit<DirectoryEntry, 'name' | 'nameBytes'> {
  const flags = view.getUint16(at + 8, true)
  const method = view.getUint16(at + 10, true)
  if (flags & IS_ENCRYPTED) refuse(`${what} as it is`, 'an encrypted entry', SAVE_AGAIN)
  if (method !== 0) {
    const got = `${METHODS[method] ?? `method ${method}`}, a compression`
    refuse(
      `${what} stored as it is, as torch.save does`,
      got,
      `Unpack it and zip it without compression, or ${SAVE_AGAIN.toLowerCase()}`,
    )
  }
  const stored = view.getUint32(at + 20, true)
  const plain = view.getUint32(at + 24, true)
  const place = view.getUint32(at + 42, true)
  // The zip64 field has those of the three numbers that do not fit into theirs, in this order.
  let extra =
    stored === NONE32 || plain === NONE32 || place === NONE32
      ? findZip64(view, extraAt, extraEnd, what)
      : 0
  const wide = (value: number): number => {
    if (value !== NONE32 || extra === 0) return value
    if (extra + 8 > extraEnd) refuse(`the sizes of ${what}`, 'none', DAMAGED)
    extra += 8
    return uint64(view, extra - 8)
  }
  const size = wide(plain)
  const storedSize = wide(stored)
  const header = wide(place)
  if (size !== storedSize) {
    refuse(`${what} to have as many bytes stored as it has`, `${storedSize} for ${size}`, DAMAGED)
  }
  return { flags, size, header, crc: view.getUint32(at + 16, true), isLarge: extra > 0 }
}

/** Where the numbers of the zip64 field begin. */
function findZip64(view: DataView, start: number, end: number, what: string): number {
  for (let at = start; at + 4 <= end; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) === 1) return at + 4
  }
  return refuse(`a zip64 field of ${what}`, 'none', DAMAGED)
}

function decodeName(bytes: Uint8Array, file: string): string {
  let name: string | undefined
  try {
    name = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    name = undefined
  }
  const parts = name?.replace(/\/$/, '').split('/') ?? []
  const isPlain =
    parts.length > 0 && parts.every((part) => part !== '' && part !== '.' && part !== '..')
  if (name !== undefined && isPlain && !/[\\:\0]/.test(name)) return name
  return refuse(
    `entries of ${file} to have plain names`,
    name === undefined ? 'a name that is not UTF-8' : quote(name),
    'Names that lead out of the zip are refused: get the file from somebody you trust.',
  )
}

// Reads of a local file that are asked for at once.
const READS_AT_ONCE = 32

/** Where the bytes of each entry begin: behind its local header, whose length only that header tells. */
async function locate(
  source: ByteSource,
  entries: readonly DirectoryEntry[],
  directory: number,
  options?: ReadOptions,
): Promise<number[]> {
  const places: number[] = []
  for (let i = 0; i < entries.length; i += READS_AT_ONCE) {
    const batch = entries.slice(i, i + READS_AT_ONCE).map((entry, j) => {
      const next = entries[i + j + 1]?.header ?? directory
      const told = source.remote === true ? beforeNext(entry, next) : undefined
      return told ?? readLocal(source, entry, next, options)
    })
    places.push(...(await Promise.all(batch)))
  }
  return places
}

/** PyTorch lets each entry begin at a multiple of this. */
const ALIGNMENT = 64

/**
 * From a server, each local header costs a request. As no gap is between an entry and the next one, its
 * place can be told from there; undefined where that is not certain.
 */
function beforeNext(entry: DirectoryEntry, next: number): number | undefined {
  const descriptor = !(entry.flags & HAS_DESCRIPTOR) ? 0 : entry.isLarge ? 24 : 16
  const place = next - descriptor - entry.size
  const header = place - entry.header
  const isOne =
    header >= LOCAL_BYTES + entry.nameBytes &&
    header < LOCAL_BYTES + entry.nameBytes + 4 * ALIGNMENT
  return isOne && place % ALIGNMENT === 0 ? place : undefined
}

async function readLocal(
  source: ByteSource,
  { name, nameBytes, header, size }: DirectoryEntry,
  next: number,
  options?: ReadOptions,
): Promise<number> {
  const bytes = await source.read(header, LOCAL_BYTES + nameBytes, options)
  const view = viewOf(bytes)
  const isHeader = view.getUint32(0, true) === LOCAL_SIGN && view.getUint16(26, true) === nameBytes
  if (!isHeader || new TextDecoder().decode(bytes.subarray(LOCAL_BYTES)) !== name) {
    refuse(`a header of ${quote(name)} at ${header} in ${source.name}`, 'other bytes', DAMAGED)
  }
  const offset = header + LOCAL_BYTES + nameBytes + view.getUint16(28, true)
  if (offset + size > next) {
    refuse(
      `${quote(name)} in ${source.name} to end before the next entry`,
      `${size} bytes at ${offset}`,
      DAMAGED,
    )
  }
  return offset
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** As a number; what is beyond 2^53 is larger than any file, whatever its last digits. */
function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true))
}
