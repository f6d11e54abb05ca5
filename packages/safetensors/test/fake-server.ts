/** @file Servers that misbehave: a `fetch` that answers as told, with a clock that tests turn. */

import type { DenseTensor } from '@ao/base-tensor'
import { vi } from 'vitest'
import { openSafetensors, serializeSafetensors, urlSource, type UrlOptions } from '../src/index.ts'
import { bytesOf, counting, same } from './helpers.ts'

export const URL_A = 'https://host.example/m/model.safetensors'
export const large: DenseTensor = counting([300, 1000], 'uint8', 2)
export const file: Uint8Array<ArrayBuffer> = serializeSafetensors([['large', large]], {
  format: 'pt',
})

/** What a request asks for, and how often there was one before. */
export interface Call {
  readonly url: string
  readonly from: number
  /** Excluded; Infinity without a range. */
  readonly to: number
  readonly n: number
}

export type Answer = (call: Call) => Response | Promise<Response>

export function server(answer: Answer): { fetch: typeof fetch; calls: Call[] } {
  const calls: Call[] = []
  return {
    calls,
    fetch: (async (url: string, init?: RequestInit) => {
      const range = new Headers(init?.headers).get('range')
      const [, from, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? []
      const call = {
        url,
        n: calls.length,
        from: Number(from ?? 0),
        to: Number(last ?? Infinity) + 1,
      }
      calls.push(call)
      return answer(call)
    }) as typeof fetch,
  }
}

/** Bytes of a file as asked for, or only the first `length` of them before the connection breaks. */
export function ranged(
  { from, to }: Call,
  headers: HeadersInit = {},
  bytes: Uint8Array<ArrayBuffer> = file,
  length?: number,
): Response {
  const end = Math.min(to, bytes.length)
  const range = { 'content-range': `bytes ${from}-${end - 1}/${bytes.length}` }
  const init = { status: 206, headers: { ...range, ...(headers as object) } }
  if (from + (length ?? Infinity) >= end) return new Response(bytes.slice(from, end), init)
  return new Response(broken(bytes.slice(from, from + (length ?? 0))), init)
}

/** A body that breaks off. */
export function broken(bytes: Uint8Array): ReadableStream {
  let sent = false
  return new ReadableStream({
    pull: (controller) => {
      if (sent) controller.error(new TypeError('terminated'))
      else controller.enqueue(bytes)
      sent = true
    },
  })
}

export const status = (
  code: number,
  headers: HeadersInit = {},
  body: string | null = null,
): Response => new Response(body, { status: code, headers })
export const page = (code = 200): Response =>
  status(code, { 'content-type': 'text/html' }, '<!doctype html><html></html>')

export async function readLarge(answer: Answer, options: UrlOptions = {}): Promise<boolean> {
  const opened = await openSafetensors(
    await urlSource(URL_A, { ...options, fetch: server(answer).fetch }),
  )
  return same(bytesOf(await opened.read('large')), bytesOf(large))
}

/** The time that `work` waits in all, in milliseconds, without waiting for it. */
export async function waits(work: () => Promise<unknown>): Promise<number> {
  const start = Date.now()
  const state = { settled: false }
  const done = work().finally(() => (state.settled = true))
  done.catch(() => undefined)
  while (!state.settled) await vi.advanceTimersByTimeAsync(50)
  await done
  return Date.now() - start
}
