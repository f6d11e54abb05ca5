import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { execFileSync } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  blobFolder,
  blobSource,
  bytesSource,
  FileError,
  memoryFolder,
  openCheckpoint,
  openSafetensors,
  serializeSafetensors,
  urlFolder,
  urlSource,
} from '../src/index.ts'
import { directory, fileSource } from '../src/node.ts'
import { asNobody, bytesOf, counting, messageOf, same } from './helpers.ts'

const tensors = new Map([
  ['small', counting([5, 3], 'bfloat16', 1)],
  ['large', counting([300, 1000], 'uint8', 2)],
  ['last', counting([7], 'uint8', 3)],
])
const file = serializeSafetensors(tensors, { format: 'pt' })
const readAll = async (source: Parameters<typeof openSafetensors>[0]): Promise<boolean> => {
  const opened = await openSafetensors(source)
  const results = []
  for (const [name, tensor] of tensors) {
    results.push(same(bytesOf(await opened.read(name)), bytesOf(tensor)))
  }
  await opened.close()
  return results.every(Boolean) && opened.metadata.get('format') === 'pt'
}

describe('memory', () => {
  it('reads bytes, also from the middle of a buffer', async () => {
    const padded = new Uint8Array(file.length + 7)
    padded.set(file, 3)
    expect(await readAll(bytesSource(file))).toBe(true)
    expect(await readAll(bytesSource(padded.subarray(3, 3 + file.length)))).toBe(true)
  })

  it('reads a Blob piece by piece, under its own name', async () => {
    const slices: number[] = []
    class Watched extends Blob {
      override slice(start?: number, end?: number): Blob {
        slices.push((end as number) - (start as number))
        return super.slice(start, end)
      }
    }
    const watched = new Watched([file])
    expect(await readAll(blobSource(watched))).toBe(true)
    expect(slices.reduce((sum, size) => sum + size)).toBe(file.length)
    expect(blobSource(new File([file], 'a.safetensors')).name).toBe('a.safetensors')
    expect(blobSource(watched).name).toBe('blob')
  })

  it('says when a Blob cannot be read any more', async () => {
    const gone = {
      size: 9,
      slice: () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) }),
    }
    expect(await messageOf(() => blobSource(gone as never, 'a').read(0, 1))).toBe(
      '[@ao/safetensors] Expected a to be readable, got gone. It may have changed on disk since it was picked: pick it again.',
    )
  })

  it('refuses reads outside of the file', async () => {
    for (const source of [bytesSource(file), blobSource(new Blob([file]))]) {
      expect(await messageOf(() => source.read(file.length - 1, 2))).toContain(
        `Expected a read within the ${file.length} bytes of`,
      )
      expect(await messageOf(() => source.read(-1, 2))).toContain('got bytes -1 to 1')
    }
  })

  it('finds files of a picked folder, and none of its subfolders', async () => {
    const picked = (path: string, content: Uint8Array<ArrayBuffer> | string): File => {
      const name = path.split('/').at(-1) as string
      const made = new File([content], name)
      return Object.defineProperty(made, 'webkitRelativePath', { value: path })
    }
    const folder = blobFolder([
      picked('m/model.safetensors', file),
      picked('m/old/model.safetensors', 'not this'),
      picked('m/config.json', '{"a": "é"}'),
    ])
    expect((await openCheckpoint(folder)).names).toEqual(['small', 'large', 'last'])
    expect(await folder.readText('config.json')).toBe('{"a": "é"}')
    expect(await folder.readText('other.json')).toBeUndefined()
    const dropped = blobFolder([new File([file], 'model.safetensors')])
    expect((await openCheckpoint(dropped)).names.length).toBe(3)
  })

  it('refuses text that is not UTF-8, and names with a path', async () => {
    const folder = memoryFolder(new Map([['a.json', Uint8Array.of(0xff)]]))
    expect(await messageOf(() => folder.readText('a.json'))).toContain(
      'Expected a.json to be UTF-8, got other bytes.',
    )
    for (const name of ['../a', 'a/b', 'a\\b', '..', '.', '', 'C:a', 'a\0']) {
      for (const action of [folder.open, folder.readText, (n: string) => folder.create(n, 1)]) {
        expect(await messageOf(() => action(name))).toContain(
          'Expected a plain file name in memory',
        )
      }
    }
  })
})

describe('URLs', () => {
  type Handler = (request: IncomingMessage, response: ServerResponse) => void
  const ranges: string[] = []
  const handlers: Record<string, Handler> = {}
  let server: Server
  let base = ''

  const partial = (response: ServerResponse, from: number, to: number, headers = {}): void => {
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${file.length}`, ...headers })
    response.end(file.subarray(from, to + 1))
  }
  const asked = (request: IncomingMessage): [from: number, to: number] => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    return [Number(from), Math.min(Number(to), file.length - 1)]
  }
  /** Answers well, and later ones as `then` says. */
  const firstWell = (then: Handler): Handler => {
    let first = true
    return (request, response) => {
      if (first) partial(response, ...asked(request))
      else then(request, response)
      first = false
    }
  }

  beforeAll(async () => {
    Object.assign(handlers, {
      '/model.safetensors': ((request, response) => {
        ranges.push(request.headers.range ?? '')
        partial(response, ...asked(request))
      }) satisfies Handler,
      '/whole': ((_, response) => response.end(file)) satisfies Handler,
      '/secret': ((request, response) => {
        if (request.headers.authorization === 'Bearer x') partial(response, ...asked(request))
        else response.writeHead(403).end()
      }) satisfies Handler,
      '/empty': ((_, response) => {
        response.writeHead(416, { 'content-range': 'bytes */0' }).end()
      }) satisfies Handler,
      '/no-range-header': ((_, response) => response.writeHead(206).end(file)) satisfies Handler,
      '/unknown-size': ((_, response) => {
        response.writeHead(206, { 'content-range': 'bytes 0-9/*' }).end(file.subarray(0, 10))
      }) satisfies Handler,
      '/shifted': ((_, response) => partial(response, 4, 99)) satisfies Handler,
      '/too-much': ((_, response) => partial(response, 0, 70_000)) satisfies Handler,
      '/lies': ((_, response) => {
        response.writeHead(206, { 'content-range': `bytes 0-9/${file.length}` }).end(file)
      }) satisfies Handler,
      '/changed': firstWell((request, response) => {
        const [from, to] = asked(request)
        response.writeHead(206, { 'content-range': `bytes ${from}-${to}/999999` }).end('x')
      }),
      '/new-etag': firstWell((request, response) =>
        partial(response, ...asked(request), { etag: 'b' }),
      ),
      '/later-error': firstWell((_, response) => response.writeHead(500).end()),
      '/short': firstWell((request, response) => {
        const [from, to] = asked(request)
        partial(response, from, to - 1)
      }),
      '/cut': firstWell((request, response) => {
        const [from, to] = asked(request)
        response.writeHead(206, {
          'content-range': `bytes ${from}-${to}/${file.length}`,
          'content-length': to - from + 1,
        })
        response.write(file.subarray(from, from + 10), () => response.destroy())
      }),
      '/config.json': ((_, response) => response.end('{"whole": true}')) satisfies Handler,
    })
    server = createServer((request, response) => {
      const handler = handlers[new URL(request.url ?? '', 'http://x').pathname]
      if (handler) handler(request, response)
      else response.writeHead(404).end('none')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((done) => (server.closeAllConnections(), server.close(done))))

  it('reads with ranges: the header in one request, then each tensor in one', async () => {
    const opened = await openSafetensors(await urlSource(`${base}/model.safetensors`))
    expect(ranges).toEqual(['bytes=0-65535'])
    for (const [name, tensor] of tensors) {
      expect(same(bytesOf(await opened.read(name)), bytesOf(tensor))).toBe(true)
    }
    const { offset, nbytes } = opened.tensors.get('large') as { offset: number; nbytes: number }
    expect(ranges.slice(1)).toEqual([
      `bytes=${offset}-${offset + nbytes - 1}`,
      `bytes=${offset + nbytes}-${offset + nbytes + 6}`,
    ])
    expect(await opened.source.read(file.length, 0)).toEqual(new Uint8Array(0))
  })

  it('opens a folder, with headers and a fetch of the user', async () => {
    const calls: string[] = []
    const folder = urlFolder(base, {
      headers: { authorization: 'Bearer x' },
      fetch: async (url, init) => {
        calls.push(`${String(url)} ${String(new Headers(init?.headers).get('authorization'))}`)
        return fetch(url, init)
      },
    })
    expect((await openCheckpoint(folder)).names).toEqual(['small', 'large', 'last'])
    expect(calls[0]).toBe(`${base}/model.safetensors Bearer x`)
    expect(await folder.readText('config.json')).toBe('{"whole": true}')
    expect(await folder.readText('none.json')).toBeUndefined()
    expect(
      await readAll(await urlSource(`${base}/secret`, { headers: { authorization: 'Bearer x' } })),
    ).toBe(true)
  })

  it('downloads whole files only when told to', async () => {
    expect(await messageOf(() => urlSource(`${base}/whole`))).toBe(
      `[@ao/safetensors] Expected a server that answers range requests at ${base}/whole, got the whole file (HTTP status 200). Use another server, or give { withoutRanges: 'download' } to load the whole file into memory.`,
    )
    expect(await readAll(await urlSource(`${base}/whole`, { withoutRanges: 'download' }))).toBe(
      true,
    )
  })

  it.each([
    ['/nothing', 'a file', 'HTTP status 404. Check the address.'],
    [
      '/secret',
      'HTTP status 206 to a range request',
      'status 403. Give credentials in the option `headers`.',
    ],
    [
      '/no-range-header',
      "a Content-Range of bytes from 0 with the file's size",
      'none. A server of',
    ],
    [
      '/unknown-size',
      "a Content-Range of bytes from 0 with the file's size",
      'bytes 0-9/*. A server',
    ],
    ['/shifted', "a Content-Range of bytes from 0 with the file's size", 'bytes 4-99/'],
    ['/too-much', "a Content-Range of bytes from 0 with the file's size", 'bytes 0-70000/'],
    ['/lies', '10 bytes', 'more.'],
  ])('%s is refused', async (path, expected, got) => {
    const error = await urlSource(base + path).catch((thrown: unknown) => thrown)
    expect(FileError.isInstance(error)).toBe(true)
    expect((error as Error).message).toContain(`Expected ${expected} at ${base}${path}, got ${got}`)
  })

  it.each([
    ['/changed', 'the same file in every answer', 'another one. Open it again.'],
    ['/new-etag', 'the same file in every answer', 'another one. Open it again.'],
    ['/later-error', 'HTTP status 206 to a range request', 'status 500.'],
    ['/short', '300000 bytes', '299999. Try again.'],
    ['/cut', '300000 bytes', ''],
  ])('%s is noticed while reading', async (path, expected, got) => {
    const opened = await openSafetensors(await urlSource(base + path))
    expect(await messageOf(() => opened.read('large'))).toContain(
      `Expected ${expected} at ${base}${path}, got ${got}`,
    )
  })

  it('takes an empty file for what it is', async () => {
    expect(
      await messageOf(async () => openSafetensors(await urlSource(`${base}/empty`))),
    ).toContain('got a file of 0 bytes')
  })

  it('says when there is no server', async () => {
    const message = await messageOf(() => urlSource('http://127.0.0.1:1/x'))
    expect(message).toContain('Expected an answer at http://127.0.0.1:1/x, got fetch failed.')
  })
})

describe('disk', () => {
  const root = mkdtempSync(join(tmpdir(), 'ao-sources-'))
  const path = (name: string): string => join(root, name)
  afterAll(() => rmSync(root, { recursive: true }))

  it('reads a file, also through a link, from a folder', async () => {
    writeFileSync(path('blob'), file)
    symlinkSync('blob', path('model.safetensors'))
    writeFileSync(path('config.json'), '{}')
    expect(await readAll(await fileSource(path('blob')))).toBe(true)
    const checkpoint = await openCheckpoint(directory(root))
    expect(checkpoint.names).toEqual(['small', 'large', 'last'])
    await checkpoint.close()
    expect(await directory(root).readText('config.json')).toBe('{}')
    expect(await directory(path('absent')).open('model.safetensors')).toBeUndefined()
    expect(await directory(path('absent')).list()).toEqual([])
  })

  it('names the path of anything that is no readable file', async () => {
    mkdirSync(path('folder'))
    symlinkSync('nowhere', path('dangling'))
    symlinkSync('loop', path('loop'))
    execFileSync('mkfifo', [path('pipe')])
    const cases: [string, string][] = [
      ['absent', `a file at ${path('absent')}, got none.`],
      ['folder', `${path('folder')} to be a file, got a folder.`],
      ['dangling', `${path('dangling')} to lead to a file, got a link to nothing.`],
      ['loop', `${path('loop')} to be readable, got ELOOP`],
      ['pipe', `${path('pipe')} to be a file, got a device or pipe.`],
      ['blob/below', `${path('blob/below')} to be readable, got ENOTDIR`],
    ]
    for (const [name, message] of cases) {
      const error = await fileSource(path(name)).catch((thrown: unknown) => thrown)
      expect(FileError.isInstance(error)).toBe(true)
      expect((error as Error).message).toContain(`[@ao/safetensors] Expected ${message}`)
    }
    expect(await messageOf(() => directory(path('blob')).list())).toContain('ENOTDIR')
  })

  it('names the path of a file without permission', async () => {
    writeFileSync(path('locked'), file)
    chmodSync(path('locked'), 0)
    const message = await asNobody(() => messageOf(() => fileSource(path('locked'))))
    expect(message).toContain(`Expected ${path('locked')} to be readable, got EACCES`)
  })

  it('notices a file that becomes shorter', async () => {
    writeFileSync(path('shrinking'), file)
    const opened = await openSafetensors(await fileSource(path('shrinking')))
    truncateSync(path('shrinking'), 1000)
    expect(await messageOf(() => opened.read('large'))).toMatch(
      /Expected 300000 bytes at \d+ in .*shrinking, got \d+, as the file has become shorter\. Open it again/,
    )
    await opened.close()
  })
})
