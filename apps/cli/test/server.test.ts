/** @file Models on servers that are not as they should be. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { modelPath } from '@ao/test-data'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const STORIES = modelPath('stories-4m')
const NAMES = readdirSync(STORIES)

type Handler = (request: IncomingMessage, response: ServerResponse, file?: Buffer) => void

/** Serves stories-4m, answering as `handler` does. */
async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '', 'http://x').pathname.slice(1)
    const file = NAMES.includes(name) ? readFileSync(join(STORIES, name)) : undefined
    handler(request, response, file)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const ranges: Handler = (request, response, file) => {
  if (!file) {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><html></html>')
    return
  }
  const [, from = '0', to = ''] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const last = Math.min(Number(to), file.length - 1)
  response.writeHead(206, { 'content-range': `bytes ${from}-${last}/${file.length}` })
  response.end(file.subarray(Number(from), last + 1))
}

describe('a server', () => {
  it('that gives a page for any missing file: only those that are there are copied', async () => {
    const out = temporaryFolder()
    await aoJson(['quantize', await serve(ranges), '--config', 'int8', '--out', out])
    for (const name of readdirSync(out)) {
      expect(readFileSync(join(out, name), 'latin1')).not.toMatch(/^<!doctype/)
    }
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json']))
    expect(readdirSync(out)).not.toContain('tokenizer.model')
  })

  it('that knows no ranges is read with --without-ranges, by each command', async () => {
    const whole: Handler = (_, response, file) => {
      if (file) response.end(file)
      else response.writeHead(404).end()
    }
    const url = await serve(whole)
    const text = join(temporaryFolder(), 'text.txt')
    writeFileSync(text, 'Once upon a time, there was a little girl.')
    const commands = [
      ['inspect', url],
      ['inspect', `${url}/model.safetensors?signature=a/b`],
      ['compare', url, STORIES],
      ['quantize', url, '--config', 'int8', '--dry-run'],
      ['generate', url, '--prompt', 'Once', '--max-tokens', '1'],
      ['eval', url, '--text', text],
    ]
    for (const command of commands) {
      const { code, stderr } = await ao(command)
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining('or pass --without-ranges to load'),
      ])
      await aoJson([...command, '--without-ranges'])
    }
  })

  it('that does not answer is left at the first interruption, by each command', async () => {
    const url = await serve(() => undefined)
    const text = join(temporaryFolder(), 'text.txt')
    writeFileSync(text, 'Once')
    for (const command of [
      ['inspect', url],
      ['inspect', `${url}/model.safetensors`],
      ['compare', STORIES, url],
      ['quantize', url, '--config', 'int8', '--dry-run'],
      ['generate', url, '--prompt', 'Once'],
      ['eval', url, '--text', text],
    ]) {
      const abort = new AbortController()
      const running = ao(command, { signal: abort.signal })
      setTimeout(() => abort.abort(), 50)
      expect(await running).toMatchObject({ code: 130, stderr: 'interrupted\n' })
    }
  })

  it('is not asked for what is no URL of one', async () => {
    const { code, stderr } = await ao(['inspect', `file://${STORIES}`])
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('Pass the path itself, without file://.'),
    ])
    const page = await ao(['inspect', `${await serve(ranges)}/tree/main`])
    expect(page.stderr).toContain(
      'This is the address of a page. Hubs have the files themselves at',
    )
  })
})

describe('JSON as Python writes it', () => {
  it('is read in config.json, with a byte order mark and Infinity', async () => {
    const [model, out] = [temporaryFolder(), temporaryFolder()]
    mkdirSync(model, { recursive: true })
    for (const name of NAMES) writeFileSync(join(model, name), readFileSync(join(STORIES, name)))
    const config = readFileSync(join(STORIES, 'config.json'), 'utf8')
    const limit = '{\n  "attention_dropout_limit": Infinity,'
    writeFileSync(join(model, 'config.json'), `\uFEFF${config.replace('{', limit)}`)
    await aoJson(['quantize', model, '--config', 'int8', '--out', out])
    const written = readFileSync(join(out, 'config.json'), 'utf8')
    expect(written.startsWith(limit)).toBe(true)
    expect(written).toContain('"quantization_config"')
  })
})
