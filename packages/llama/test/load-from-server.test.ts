/** @file Loading over a slow network: what counts is how many round trips there are. */

import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostArray, type Tensor } from '@ao/base-tensor'
import { urlFolder } from '@ao/safetensors'
import { modelPath } from '@ao/test-data'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { folder } from './stories-4m.ts'

const LATENCY = 60
const requests: string[] = []
let running = 0
let mostRunning = 0
let server: Server
let base = ''

beforeAll(async () => {
  const files = new Map(
    ['config.json', 'model.safetensors'].map((name) => [
      `/${name}`,
      readFileSync(modelPath(`stories-4m/${name}`)),
    ]),
  )
  server = createServer((request, response) => {
    const bytes = files.get(request.url ?? '')
    requests.push(request.url ?? '')
    mostRunning = Math.max(mostRunning, ++running)
    setTimeout(() => {
      running--
      if (!bytes) return response.writeHead(404).end()
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const last = Math.min(Number(to), bytes.length - 1)
      response.writeHead(206, { 'content-range': `bytes ${from}-${last}/${bytes.length}` })
      return response.end(bytes.subarray(Number(from), last + 1))
    }, LATENCY)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((done) => (server.closeAllConnections(), server.close(done))))

it('fetches 38 tensors of 7.3 MB with two requests that run at once', async () => {
  const names: string[] = []
  const model = await LlamaForCausalLM.fromPretrained(urlFolder(base), {
    onProgress: ({ name }) => names.push(name),
  })
  expect(names).toHaveLength(38)
  // The first two at once, in any order.
  expect(requests.slice(0, 2).sort()).toEqual(['/config.json', '/generation_config.json'])
  expect(requests.slice(2)).toEqual(new Array<string>(3).fill('/model.safetensors'))
  expect(mostRunning).toBe(2)
  const local = (await LlamaForCausalLM.fromPretrained(folder)).stateDict()
  for (const [name, tensor] of model.stateDict()) {
    expect(bytesOf(tensor).equals(bytesOf(local.get(name) as Tensor))).toBe(true)
  }
})

function bytesOf(tensor: Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = hostArray(tensor)
  return Buffer.from(buffer, byteOffset, byteLength)
}
