import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AoError } from '../../../packages/base-tensor/src/index.ts'
import { isClass, publicExports } from './wrong-arguments/exports.ts'
import { PLAIN, samples } from './wrong-arguments/values.ts'

const RANDOM_CALLS = Number(process.env.N ?? 150)
const all = await publicExports()
const values = [...PLAIN, ...(await samples())]
const folder = mkdtempSync(join(tmpdir(), 'ao-wrong-arguments-'))
const home = process.cwd()
beforeAll(() => process.chdir(folder)) // what a call writes to `x` goes here
afterAll(() => { process.chdir(home); rmSync(folder, { recursive: true, force: true }) })

const seen = new Set<string>()
async function tryCall(name: string, call: () => unknown, args: readonly unknown[]): Promise<void> {
  try {
    let result = call() as any
    if (typeof result?.next === 'function') result = result.next()
    await result
  } catch (error) {
    if (AoError.isInstance(error)) return
    const e = error as Error
    const where = String(e?.stack).split('\n').find((l) => l.includes('/packages/'))?.trim().replace(/^.*packages/, '').slice(0, 80)
    const key = `${name}: ${e?.name}: ${e?.message?.slice(0, 90)} @ ${where}`
    if (seen.has(key)) return
    seen.add(key)
    console.log(key)
  }
}

function* argumentLists(count: number, seed: number): Generator<unknown[]> {
  yield []
  for (const v of values) { yield [v]; yield [v, v, v] }
  let s = seed
  const next = (n: number): number => { s = (Math.imul(s, 1664525) + 1013904223) >>> 0; return Math.floor((s / 2 ** 32) * n) }
  for (let i = 0; i < RANDOM_CALLS; i++) yield Array.from({ length: 1 + next(count + 1) }, () => values[next(values.length)])
}
const SKIP = new Set(['testFormat'])
describe('x', () => {
  it('walk', { timeout: 1e7 }, async () => {
    const walked = new Set()
    for (const { entry, name, value } of all) {
      if (typeof value !== 'function' || walked.has(value) || SKIP.has(name)) continue
      walked.add(value)
      const label = `${entry}.${name}`
      const only = process.env.ONLY
      if (only && !label.includes(only)) continue
      const t = performance.now()
      if (isClass(value)) {
        for (const args of argumentLists(value.length, 7)) await tryCall(`new ${label}`, () => new value(...args), args)
        for (const m of Object.getOwnPropertyNames(value)) {
          const f = (value as any)[m]
          if (typeof f !== 'function' || m === 'prototype' || isClass(f)) continue
          for (const args of argumentLists(f.length, 8)) await tryCall(`${label}.${m}`, () => f.apply(value, args), args)
        }
      } else for (const args of argumentLists(value.length, 9)) await tryCall(label, () => value(...args), args)
      const dt = performance.now() - t
      if (dt > 1000) console.log('SLOW', label, dt | 0)
    }
  })
  it('methods', { timeout: 1e7 }, async () => {
    for (const s of values.slice(PLAIN.length)) {
      if (typeof s !== 'object' || s === null || ArrayBuffer.isView(s)) continue
      const names = new Set<string>()
      for (let p = s as any; p && p !== Object.prototype; p = Object.getPrototypeOf(p)) for (const n of Object.getOwnPropertyNames(p)) {
        if (n !== 'constructor' && typeof Object.getOwnPropertyDescriptor(p, n)?.value === 'function') names.add(n)
      }
      const label = s.constructor.name
      for (const n of names) {
        if (process.env.ONLY && !label.includes(process.env.ONLY)) continue
        if (/^(remove|close|free|dispose)$/.test(n)) continue
        const f = (s as any)[n]
        const t = performance.now()
        for (const args of argumentLists(f.length, 10)) await tryCall(`${label}#${n}`, () => f.apply(s, args), args)
        const dt = performance.now() - t
        if (dt > 1000) console.log('SLOW', label, n, dt | 0)
      }
    }
  })
  it('x', () => expect(1).toBe(1))
})
