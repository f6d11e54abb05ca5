/** @file Files on a server, read with HTTP range requests. */

import { bytesSource, checkRange, type ByteSource } from './byte-source.ts'
import { FileError, PACKAGE, reasonOf } from './errors.ts'

/** How a server is asked. */
export interface UrlOptions {
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof fetch
  /** Sent with every request, such as `{ authorization: 'Bearer ...' }`. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * What to do with a server that ignores range requests: refuse (the default), or download the whole
   * file into memory.
   */
  readonly withoutRanges?: 'refuse' | 'download'
}

// The first request reads this much, so that most headers come with it.
const FIRST_READ_BYTES = 65_536

/**
 * A file at a URL. Each read is one range request.
 *
 * @throws {@link FileError} when the server does not answer, has no such file or ignores ranges
 */
export async function urlSource(url: string | URL, options: UrlOptions = {}): Promise<ByteSource> {
  const source = await findUrlSource(String(url), options)
  if (source) return source
  throw failed(String(url), 'a file', 'HTTP status 404', 'Check the address.')
}

/** {@link urlSource}, or undefined where the server says that there is no such file. */
export async function findUrlSource(
  url: string,
  options: UrlOptions,
): Promise<ByteSource | undefined> {
  const response = await request(url, 0, FIRST_READ_BYTES, options)
  if (response.status === 404 || response.status === 410) return drop(response)
  if (response.status === 200) return wholeFile(url, response, options)
  if (response.status === 416 && response.headers.get('content-range') === 'bytes */0') {
    return bytesSource(new Uint8Array(0), url)
  }
  const { end, size } = checkPartial(url, response, 0, FIRST_READ_BYTES)
  const start = await readBody(url, response, end)
  const etag = response.headers.get('etag')

  return {
    name: url,
    size,
    remote: true,
    read: async (offset, length) => {
      checkRange(url, size, offset, length)
      if (offset + length <= start.length) return start.slice(offset, offset + length)
      if (length === 0) return new Uint8Array(0)
      const part = await request(url, offset, length, options)
      const range = checkPartial(url, part, offset, length)
      if (range.size !== size || part.headers.get('etag') !== etag) {
        drop(part)
        throw failed(url, 'the same file in every answer', 'another one', 'Open it again.')
      }
      return readBody(url, part, length)
    },
    close: async () => undefined,
  }
}

async function request(
  url: string,
  offset: number,
  length: number,
  options: UrlOptions,
): Promise<Response> {
  const { fetch = globalThis.fetch, headers } = options
  try {
    return await fetch(url, {
      headers: { ...headers, range: `bytes=${offset}-${offset + length - 1}` },
    })
  } catch (error) {
    throw failed(url, 'an answer', reasonOf(error), 'Check the address and the connection.', error)
  }
}

/** Checks for status 206 and a Content-Range within what was asked. `end` is excluded. */
function checkPartial(
  url: string,
  response: Response,
  offset: number,
  length: number,
): { readonly end: number; readonly size: number } {
  if (response.status !== 206) {
    drop(response)
    throw failed(
      url,
      'HTTP status 206 to a range request',
      `status ${response.status}`,
      response.status === 401 || response.status === 403
        ? 'Give credentials in the option `headers`.'
        : undefined,
    )
  }
  const text = response.headers.get('content-range')
  const [start, last, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(text ?? '') ?? [])
    .slice(1)
    .map(Number)
  const fits = start === offset && last !== undefined && last < offset + length
  if (!fits || size === undefined || last >= size) {
    drop(response)
    throw failed(
      url,
      `a Content-Range of bytes from ${offset} with the file's size`,
      text ?? 'none',
      'A server of another origin must also expose that header: ' +
        '`Access-Control-Expose-Headers: Content-Range`.',
    )
  }
  return { end: last + 1, size }
}

async function wholeFile(
  url: string,
  response: Response,
  options: UrlOptions,
): Promise<ByteSource> {
  if (options.withoutRanges === 'download') {
    try {
      return bytesSource(new Uint8Array(await response.arrayBuffer()), url)
    } catch (error) {
      throw failed(url, 'the whole file', reasonOf(error), 'Try again.', error)
    }
  }
  drop(response)
  throw failed(
    url,
    'a server that answers range requests',
    'the whole file (HTTP status 200)',
    "Use another server, or give { withoutRanges: 'download' } to load the whole file into memory.",
  )
}

/** Exactly `length` bytes of the body, whatever the server sends. */
async function readBody(
  url: string,
  response: Response,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  const reader = response.body?.getReader()
  let filled = 0
  try {
    for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
      if (filled + part.value.length > length) {
        await reader?.cancel()
        throw failed(url, `${length} bytes`, 'more')
      }
      bytes.set(part.value, filled)
      filled += part.value.length
    }
  } catch (error) {
    if (FileError.isInstance(error)) throw error
    throw failed(url, `${length} bytes`, reasonOf(error), 'Try again.', error)
  }
  if (filled < length) throw failed(url, `${length} bytes`, String(filled), 'Try again.')
  return bytes
}

/** Lets go of the connection without reading the body. */
function drop(response: Response): undefined {
  response.body?.cancel().catch(() => undefined)
}

function failed(
  url: string,
  expected: string,
  got: string,
  cure?: string,
  cause?: unknown,
): FileError {
  return new FileError({
    package: PACKAGE,
    expected: `${expected} at ${url}`,
    got,
    ...(cure === undefined ? {} : { cure }),
    cause,
  })
}
