/** @file Files on a server, read with HTTP range requests. */

import {
  allocate,
  bytesSource,
  checkRange,
  type ByteSource,
  type ReadOptions,
} from './byte-source.ts'
import { ValueError, takes } from '@ao/base-tensor'
import { FileError, PACKAGE, quote } from './errors.ts'
import {
  absenceOf,
  ask,
  bodyOf,
  checkPartial,
  CREDENTIALS,
  drop,
  encodingOf,
  isSameVersion,
  pageCure,
  PARTIAL,
  SIGN_BYTES,
  type FetchOptions,
  type MissingReason,
  type Version,
} from './http-answer.ts'
import { failed, retrying, Transient, type Attempt, type RetryOptions } from './http-attempt.ts'

/** How a server is asked. */
export interface UrlOptions extends FetchOptions, RetryOptions {
  /**
   * What to do with a server that ignores range requests: refuse (the default), or download the whole
   * file into memory.
   */
  readonly withoutRanges?: 'refuse' | 'download'
  /**
   * What to do when answers about one file have different strong ETags, or else a different Last-Modified:
   * ask again and then refuse (the default), or accept them, where several servers are known to hold the
   * same bytes. Another size is always refused.
   */
  readonly otherVersions?: 'refuse' | 'accept'
}

// The first request reads this much, so that most headers come with it.
const FIRST_READ_BYTES = 65_536
/** The longest array that all engines have. */
const MAX_DOWNLOAD_BYTES = 2 ** 32 - 1

/**
 * A file at a URL. Each read is one range request, or more where the connection breaks.
 *
 * @throws {@link FileError} when the server does not answer, has no such file or ignores ranges
 */
export async function urlSource(url: string | URL, options: UrlOptions = {}): Promise<ByteSource> {
  const address = textOfUrl(url)
  const found = await findUrlSource(address, checkUrlOptions(options))
  if (!('absent' in found)) return found
  const { got, cure = pageCure(address) ?? 'Check the address.' } = found.absent
  throw failed(address, 'a file', got, cure)
}

/** @throws {@link ValueError} for anything but a URL */
export function textOfUrl(url: string | URL): string {
  const text: unknown = typeof url === 'string' ? url : url?.href
  takes('x', text)
  return text as string
}

const OPTIONS = [
  'fetch',
  'headers',
  'withoutRanges',
  'otherVersions',
  'timeout',
  'retries',
  'signal',
]

/** @throws {@link ValueError} for options that there are not, and values that they cannot have */
export function checkUrlOptions(options: UrlOptions): UrlOptions {
  takes('o', options)
  const { withoutRanges = 'refuse', otherVersions = 'refuse', timeout = 0, retries = 0 } = options
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
  if (unknown !== undefined) refuseOption(`an option among ${OPTIONS.join(', ')}`, quote(unknown))
  if (withoutRanges !== 'refuse' && withoutRanges !== 'download') {
    refuseOption("withoutRanges of 'refuse' or 'download'", quote(withoutRanges))
  }
  if (otherVersions !== 'refuse' && otherVersions !== 'accept') {
    refuseOption("otherVersions of 'refuse' or 'accept'", quote(otherVersions))
  }
  if (typeof timeout !== 'number' || !(timeout >= 0)) {
    refuseOption('a timeout in milliseconds from 0 on', String(timeout))
  }
  if (!(Number.isInteger(retries) || retries === Infinity) || retries < 0) {
    refuseOption('a number of retries from 0 on', String(retries))
  }
  return options
}

function refuseOption(expected: string, got: string): never {
  throw new ValueError({ package: PACKAGE, expected, got })
}

/** A {@link urlSource}, or why there is no such file. */
export async function findUrlSource(
  url: string,
  options: UrlOptions,
  { signal }: ReadOptions = {},
  maxBytes: number = MAX_DOWNLOAD_BYTES,
): Promise<ByteSource | { readonly absent: MissingReason }> {
  checkAddress(url)
  const signals = [options.signal, signal].filter((given) => given !== undefined)
  const first = await retrying(options, signals, (attempt) =>
    firstAnswer({ url, options, attempt, maxBytes }),
  )
  return 'version' in first ? rangeSource(url, options, first) : first
}

/** A relative URL is one in a page. */
function checkAddress(url: string): void {
  const page = (globalThis as { location?: { href: string } }).location?.href
  let protocol: string | undefined
  try {
    ;({ protocol } = new URL(url, page))
  } catch {
    protocol = undefined
  }
  if (protocol !== undefined && /^(?:https?|blob|data):$/.test(protocol)) return
  throw new FileError({
    package: PACKAGE,
    expected: 'an http(s) URL',
    got: quote(url.slice(0, 100)),
    cure:
      protocol === 'file:'
        ? 'Files on disk are read with directory(path) or fileSource(path) of @ao/safetensors/node.'
        : 'Outside of a page, URLs begin with http:// or https://.',
  })
}

interface FirstAnswer {
  readonly start: Uint8Array
  readonly version: Version
}

interface Asked {
  readonly url: string
  readonly options: UrlOptions
  readonly attempt: Attempt
  readonly maxBytes: number
}

async function firstAnswer(
  asked: Asked,
): Promise<FirstAnswer | ByteSource | { readonly absent: MissingReason }> {
  const { url, options, attempt } = asked
  const response = await ask(url, attempt, options, { offset: 0, length: FIRST_READ_BYTES })
  const { status, headers } = response
  if (status === 416 && headers.get('content-range') === 'bytes */0') {
    return bytesSource(new Uint8Array(0), url)
  }
  if (status === 200) return wholeFile(asked, response)
  if (status !== 206) {
    const absent = absenceOf(response, await readStart(asked, response))
    if (absent) return { absent }
    throw failed(
      url,
      PARTIAL,
      `status ${status}`,
      status === 401 || status === 403 ? CREDENTIALS : undefined,
    )
  }
  const encoding = encodingOf(response)
  if (encoding !== undefined) {
    if (absenceOf(response, new Uint8Array(0))) return { absent: { got: 'an HTML page' } }
    return withoutRange(asked, response, () =>
      failed(
        url,
        'ranges of the file itself',
        `ranges of its ${encoding} form (Content-Encoding)`,
        `Turn compression off for it on the server, or ${DOWNLOAD}`,
      ),
    )
  }
  try {
    const { end, version } = checkPartial(url, response, 0, FIRST_READ_BYTES)
    const start = new Uint8Array(end)
    await fill(asked, response, start, 0)
    const absent = absenceOf(response, start)
    return absent ? { absent } : { start, version }
  } catch (error) {
    if (!FileError.isInstance(error) || options.withoutRanges !== 'download') throw error
    return withoutRange(asked, response, () => error)
  }
}

const DOWNLOAD = "give { withoutRanges: 'download' } to load the whole file into memory."

/** Asks for the whole file, where that is wanted. */
async function withoutRange(
  asked: Asked,
  response: Response,
  error: () => FileError,
): Promise<ByteSource | { readonly absent: MissingReason }> {
  drop(response)
  const { url, options, attempt } = asked
  if (options.withoutRanges !== 'download') throw error()
  const whole = await ask(url, attempt, options)
  if (whole.status === 200) return wholeFile(asked, whole)
  drop(whole)
  throw failed(url, 'HTTP status 200', `status ${whole.status}`)
}

async function wholeFile(
  asked: Asked,
  response: Response,
): Promise<ByteSource | { readonly absent: MissingReason }> {
  const { url, options } = asked
  if (options.withoutRanges !== 'download') {
    const absent = absenceOf(response, await readStart(asked, response))
    if (absent) return { absent }
    throw failed(
      url,
      'a server that answers range requests',
      'the whole file (HTTP status 200)',
      pageCure(url) ?? `Use another server, or ${DOWNLOAD}`,
    )
  }
  const bytes = await readWhole(asked, response)
  const absent = absenceOf(response, bytes)
  return absent ? { absent } : bytesSource(bytes, url)
}

/** The first bytes of a body that is then let go. */
async function readStart({ url, attempt }: Asked, response: Response): Promise<Uint8Array> {
  const start = new Uint8Array(SIGN_BYTES)
  let filled = 0
  for await (const part of bodyOf(url, response, attempt, 'an answer')) {
    const taken = part.subarray(0, SIGN_BYTES - filled)
    start.set(taken, filled)
    filled += taken.length
    if (filled === SIGN_BYTES) break
  }
  return start.subarray(0, filled)
}

/** All of a body, of which at most `maxBytes` come into memory, however it is compressed. */
async function readWhole({ url, attempt, maxBytes }: Asked, response: Response) {
  const tooLong = (): FileError => failed(url, `at most ${maxBytes} bytes`, 'more')
  const claimed = response.headers.get('content-length')
  const size = claimed === null || encodingOf(response) !== undefined ? undefined : Number(claimed)
  if (size !== undefined && size > maxBytes) {
    drop(response)
    throw tooLong()
  }
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of bodyOf(url, response, attempt, 'the whole file')) {
    length += part.length
    if (length > maxBytes) throw tooLong()
    parts.push(part)
  }
  if (size !== undefined && length < size) {
    throw new Transient(failed(url, `${size} bytes`, String(length), 'Try again.'))
  }
  const bytes = allocate(length, url)
  let filled = 0
  for (const part of parts) {
    bytes.set(part, filled)
    filled += part.length
  }
  return bytes
}

function rangeSource(url: string, options: UrlOptions, first: FirstAnswer): ByteSource {
  const { start, version } = first
  return {
    name: url,
    size: version.size,
    remote: true,
    read: async (offset, length, { signal } = {}) => {
      signal?.throwIfAborted()
      checkRange(url, version.size, offset, length)
      if (offset + length <= start.length) return start.slice(offset, offset + length)
      if (length === 0) return new Uint8Array(0)
      const signals = [options.signal, signal].filter((given) => given !== undefined)
      return readRange({ url, options, version, offset, length }, signals)
    },
    close: async () => undefined,
  }
}

interface Wanted {
  readonly url: string
  readonly options: UrlOptions
  readonly version: Version
  readonly offset: number
  readonly length: number
}

/** Reads on where an answer broke off. */
async function readRange(
  wanted: Wanted,
  signals: readonly AbortSignal[],
): Promise<Uint8Array<ArrayBuffer>> {
  const { url, options, offset, length } = wanted
  let bytes: Uint8Array<ArrayBuffer> | undefined
  let filled = 0
  await retrying(options, signals, async (attempt) => {
    const rest = { offset: offset + filled, length: length - filled }
    const response = await ask(url, attempt, options, rest)
    if (response.status !== 206) {
      drop(response)
      const cure = response.status === 401 || response.status === 403 ? CREDENTIALS : undefined
      throw failed(url, PARTIAL, `status ${response.status}`, cure)
    }
    const answer = checkPartial(url, response, rest.offset, rest.length)
    checkVersion(wanted, response, answer.version)
    // Nothing is reserved before a server has answered well.
    bytes ??= allocate(length, url)
    const part = bytes.subarray(filled, answer.end - offset)
    await fill({ url, attempt }, response, part, filled, (more) => (filled += more))
    if (filled < length) throw new Transient(tooShort(url, length, filled), 0)
  })
  return bytes as unknown as Uint8Array<ArrayBuffer>
}

function checkVersion({ url, options, version }: Wanted, response: Response, other: Version): void {
  const same = isSameVersion(version, other)
  if (same || (options.otherVersions === 'accept' && version.size === other.size)) return
  drop(response)
  const cure =
    version.size === other.size
      ? "Open it again. Where servers are known to hold the same bytes, give { otherVersions: 'accept' }."
      : 'Open it again.'
  // Of several servers behind one address, another one may answer next.
  throw new Transient(failed(url, 'the same file in every answer', 'another one', cure), 0)
}

/** Fills `bytes` with a body of their length. */
async function fill(
  { url, attempt }: Pick<Asked, 'url' | 'attempt'>,
  response: Response,
  bytes: Uint8Array,
  before: number,
  keep?: (bytes: number) => void,
): Promise<void> {
  const expected = `${before + bytes.length} bytes`
  let filled = 0
  for await (const part of bodyOf(url, response, attempt, expected)) {
    if (filled + part.length > bytes.length) throw failed(url, expected, 'more')
    bytes.set(part, filled)
    filled += part.length
    if (!keep) continue
    keep(part.length)
    attempt.kept += part.length
  }
  if (filled < bytes.length) {
    throw new Transient(tooShort(url, before + bytes.length, before + filled))
  }
}

function tooShort(url: string, length: number, filled: number): FileError {
  return failed(url, `${length} bytes`, String(filled), 'Try again.')
}
