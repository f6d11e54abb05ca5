/** @file What a server's answer to a range request means. */

import { failed, retryAfter, Transient, withoutQuery, type Attempt } from './http-attempt.ts'
import { FileError } from './errors.ts'

/** Why a server has no file. */
export interface MissingReason {
  /** What it answered, such as `HTTP status 404`. */
  readonly got: string
  readonly cure?: string | undefined
}

/** What tells one version of a file from another. */
export interface Version {
  readonly size: number
  readonly etag: string | null
  readonly lastModified: string | null
}

export const PARTIAL = 'HTTP status 206 to a range request'

/** What requests are made with. */
export interface FetchOptions {
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch
  /** Sent with every request, such as `{ authorization: 'Bearer ...' }`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The answer to one request. `length` bytes from `offset` on are asked for; all without them. */
export async function ask(
  url: string,
  attempt: Attempt,
  options: FetchOptions,
  range?: { readonly offset: number; readonly length: number },
): Promise<Response> {
  const { fetch = globalThis.fetch, headers } = options
  const added = range && {
    range: `bytes=${range.offset}-${range.offset + range.length - 1}`,
    // Ranges of compressed bytes are of no use. Browsers ask for this by themselves.
    'accept-encoding': 'identity',
  }
  let response: Response
  try {
    response = await attempt.race(
      fetch(url, { headers: { ...headers, ...added }, signal: attempt.signal }),
    )
  } catch (error) {
    throw attempt.failure(error, url, 'an answer')
  }
  attempt.received(Infinity)
  const { status } = response
  if (status === 408 || status === 429 || status >= 500) {
    drop(response)
    const error = failed(
      url,
      PARTIAL,
      `status ${status}`,
      'The server may be busy: try again later.',
    )
    throw new Transient(error, retryAfter(response))
  }
  return response
}

/** The body in the parts in which it arrives. */
export async function* bodyOf(
  url: string,
  response: Response,
  attempt: Attempt,
  expected: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader()
  if (!reader) return
  try {
    for (;;) {
      const { value, done } = await attempt.race(reader.read())
      if (done) return
      attempt.received(value.length)
      yield value
    }
  } catch (error) {
    throw error instanceof Transient || FileError.isInstance(error)
      ? error
      : attempt.failure(error, url, expected)
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

/** Lets go of the connection without reading the body. */
export function drop(response: Response): void {
  response.body?.cancel().catch(() => undefined)
}

/** The encoding of a body that is not the file's own bytes. */
export function encodingOf(response: Response): string | undefined {
  const encoding = response.headers.get('content-encoding')
  return encoding === null || encoding === 'identity' ? undefined : encoding
}

/**
 * Where a partial answer ends (excluded), of a file of which size.
 *
 * @throws {@link FileError} for anything but a Content-Range within what was asked
 */
export function checkPartial(
  url: string,
  response: Response,
  offset: number,
  length: number,
): { readonly end: number; readonly version: Version } {
  const text = response.headers.get('content-range')
  const [start, last, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(text ?? '') ?? [])
    .slice(1)
    .map(Number)
  const fits = start === offset && last !== undefined && last < offset + length
  if (!fits || !Number.isSafeInteger(size) || last >= (size as number)) {
    drop(response)
    throw failed(
      url,
      `a Content-Range of bytes from ${offset} with the file's size`,
      text?.slice(0, 100) ?? 'none',
      'A server of another origin must also expose that header: ' +
        '`Access-Control-Expose-Headers: Content-Range`.',
    )
  }
  const { headers } = response
  const version = {
    size: size as number,
    etag: headers.get('etag'),
    lastModified: headers.get('last-modified'),
  }
  return { end: last + 1, version }
}

/**
 * Whether two answers are of one version of a file: by its strong ETag, else by Last-Modified, else by its
 * size. Weak ETags that differ decide nothing, as servers behind one address make their own.
 */
export function isSameVersion(a: Version, b: Version): boolean {
  if (a.size !== b.size) return false
  const strong = isStrong(a.etag) && isStrong(b.etag)
  if (strong || (a.etag !== null && a.etag === b.etag)) return a.etag === b.etag
  if (a.lastModified !== null && b.lastModified !== null) return a.lastModified === b.lastModified
  // Who has not said anything of the version so far must not begin to.
  return (a.etag === null) === (b.etag === null) && a.lastModified === b.lastModified
}

function isStrong(etag: string | null): boolean {
  return etag !== null && !etag.startsWith('W/')
}

/** Bytes of a body that tell what it is. */
export const SIGN_BYTES = 512

/**
 * Why an answer stands for a file that is not there: status 404 or 410, a page with status 200 (206), or
 * status 403 of an object store, which says so of files that it does not have.
 *
 * @param start - the body's first bytes
 */
export function absenceOf(response: Response, start: Uint8Array): MissingReason | undefined {
  const { status, headers } = response
  const text = new TextDecoder('latin1').decode(start.subarray(0, SIGN_BYTES)).trimStart()
  const type = headers.get('content-type') ?? ''
  if (status === 404 || status === 410) return { got: `HTTP status ${status}` }
  if (status === 403 && isFromObjectStore(headers, type, text)) {
    const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? 'AccessDenied'
    const denied = code === 'AccessDenied' && !/expired/i.test(text)
    return denied || code === 'NoSuchKey'
      ? { got: `HTTP status 403 (${code})`, cure: CREDENTIALS }
      : undefined
  }
  if (status !== 200 && status !== 206) return undefined
  const isPage = /^(?:\u00ef\u00bb\u00bf\s*)?(?:<!doctype html|<html)/i.test(text)
  const claimsPage = /^text\/html/i.test(type) && (text === '' || text.startsWith('<'))
  return isPage || claimsPage ? { got: `an HTML page (HTTP status ${status})` } : undefined
}

export const CREDENTIALS = 'Give credentials in the option `headers`.'

function isFromObjectStore(headers: Headers, type: string, text: string): boolean {
  if (type.includes('xml') || /^<\?xml|^<Error>/.test(text)) return true
  return ['x-amz-request-id', 'x-goog-hash', 'x-guploader-uploadid'].some((n) => headers.has(n))
}

/** What to do where a page was asked for instead of a file. */
export function pageCure(url: string): string | undefined {
  const file = url.replace(/\/(?:tree|blob)\/(?=[^/])/, '/resolve/')
  return file === url
    ? undefined
    : `This is the address of a page. Hubs have the files themselves at ${withoutQuery(file)}`
}
