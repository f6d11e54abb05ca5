import { ValueError } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { openCheckpoint, urlFolder, urlSource } from '../src/index.ts'
import { URL_A, page, ranged, server, status } from './fake-server.ts'
import { messageOf } from './helpers.ts'

describe('a file that is not there', () => {
  const index = JSON.stringify({ weight_map: { large: 's.safetensors' } })
  const denied = (code: string): Response =>
    status(403, { 'content-type': 'application/xml' }, `<?xml?><Error><Code>${code}</Code></Error>`)
  const absent: Record<string, () => Response> = {
    '404': () => status(404),
    '410': () => status(410),
    '403 of an object store': () => denied('AccessDenied'),
    '403 of an object store, by its headers': () => status(403, { 'x-amz-request-id': '1' }),
    'a page': () => page(),
    'a page without a type': () => status(200, {}, '\n<!DOCTYPE html>\n'),
    'an empty page': () => status(200, { 'content-type': 'text/html; charset=utf-8' }),
    'a page in ranges': () =>
      new Response('<html></html>', {
        status: 206,
        headers: { 'content-range': 'bytes 0-12/13', 'content-type': 'text/html' },
      }),
  }

  it.each(Object.entries(absent))('%s: the index is tried', async (_, missing) => {
    for (const options of [{}, { withoutRanges: 'download' as const }]) {
      const { fetch } = server((call) => {
        if (call.url.endsWith('/s.safetensors')) return ranged(call)
        return call.url.endsWith('.index.json') ? new Response(index) : missing()
      })
      const folder = urlFolder('https://host.example/m', { ...options, fetch })
      expect((await openCheckpoint(folder)).names).toEqual(['large'])
      for (const name of ['tokenizer_config.json', 'tokenizer.model', 'LICENSE']) {
        expect(await folder.readText(name)).toBeUndefined()
        expect(await folder.open(name)).toBeUndefined()
      }
    }
  })

  it.each(Object.entries(absent))('%s: a message says so', async (_, missing) => {
    const { fetch } = server(missing)
    const reason = /HTTP status (404|410|403 \(AccessDenied\))|an HTML page \(HTTP status 20[06]\)/
    const empty = openCheckpoint(urlFolder('https://host.example/m', { fetch }))
    expect(await messageOf(() => empty)).toMatch(
      new RegExp(`model.safetensors or .*, got neither: (${reason.source})\\.`),
    )
    expect(await messageOf(() => urlSource(URL_A, { fetch }))).toMatch(
      new RegExp(`a file at ${URL_A}, got (${reason.source})\\.`),
    )
    const shards = server((call) => (call.url.endsWith('.json') ? new Response(index) : missing()))
    const sharded = openCheckpoint(urlFolder('https://host.example/m', { fetch: shards.fetch }))
    expect(await messageOf(() => sharded)).toMatch(
      new RegExp(`the shard s.safetensors in .*, got (${reason.source})\\.`),
    )
  })

  it.each([
    ['403 of any other server', () => status(403, { 'content-type': 'text/plain' }, 'no')],
    ['an expired signature', () => denied('ExpiredToken')],
    [
      'an expired signature that is called denied',
      () =>
        status(
          403,
          {},
          '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>',
        ),
    ],
    ['401', () => status(401)],
  ])('is not meant by %s', async (_, answer) => {
    const { fetch } = server(answer)
    const message = await messageOf(() =>
      urlFolder('https://host.example/m', { fetch }).readText('config.json'),
    )
    expect(message).toMatch(/got status 40[13]\. Give credentials in the option `headers`\./)
  })
})

describe('addresses', () => {
  it('keep their query on each file, and out of messages', async () => {
    const { fetch, calls } = server(() => status(404))
    for (const base of ['https://h.example/m?sig=a%2Fb', 'https://h.example/m/?sig=a%2Fb#x']) {
      const folder = urlFolder(base, { fetch })
      const message = await messageOf(() => openCheckpoint(folder))
      expect(message).toContain('in https://h.example/m/?..., got neither')
      expect(message).not.toContain('sig')
    }
    expect(new Set(calls.map(({ url }) => url))).toEqual(
      new Set(
        ['model.safetensors', 'model.safetensors.index.json'].map(
          (name) => `https://h.example/m/${name}?sig=a%2Fb`,
        ),
      ),
    )
  })

  it.each(['tree', 'blob'])(
    'of a page of a hub (%s) are told from those of files',
    async (part) => {
      const cure = (where: string): string =>
        `This is the address of a page. Hubs have the files themselves at ${where}`
      for (const answer of [page, () => status(404)]) {
        const { fetch } = server(() => answer())
        const folder = urlFolder(`https://hub.example/o/m/${part}/main`, { fetch })
        expect(await messageOf(() => openCheckpoint(folder))).toContain(
          cure('https://hub.example/o/m/resolve/main/'),
        )
        const source = urlSource(`https://hub.example/o/m/${part}/main/a.safetensors`, { fetch })
        expect(await messageOf(() => source)).toContain(
          cure('https://hub.example/o/m/resolve/main/a.safetensors'),
        )
      }
    },
  )

  it.each([
    ['file:///models/m', 'directory(path) or fileSource(path) of @ao/safetensors/node'],
    ['/models/m', 'Outside of a page, URLs begin with http:// or https://.'],
    ['ftp://host.example/m', 'URLs begin with http:// or https://.'],
    ['', 'URLs begin with http:// or https://.'],
  ])('that are none of a server: %s', async (url, cure) => {
    for (const open of [() => urlSource(url), () => openCheckpoint(urlFolder(url))]) {
      const message = await messageOf(open)
      expect(message).toContain('Expected an http(s) URL, got "')
      expect(message).toContain(cure)
    }
  })

  it.each([
    [{ timeOut: 5 }, 'an option among fetch, headers, withoutRanges, otherVersions, timeout'],
    [{ withoutRanges: true }, "withoutRanges of 'refuse' or 'download', got true"],
    [{ otherVersions: 'ignore' }, "otherVersions of 'refuse' or 'accept', got \"ignore\""],
    [{ timeout: -1 }, 'a timeout in milliseconds from 0 on, got -1'],
    [{ retries: 1.5 }, 'a number of retries from 0 on, got 1.5'],
  ])('with options that are none: %j', async (options, message) => {
    expect(() => urlFolder('https://h.example', options as never)).toThrow(message)
    const error = await urlSource(URL_A, options as never).catch((thrown: unknown) => thrown)
    expect(ValueError.isInstance(error)).toBe(true)
  })
})
