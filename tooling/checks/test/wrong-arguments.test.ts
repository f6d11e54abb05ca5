/** @file Calls everything that a package exports with what it does not take: only our errors come out. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AoError } from '../../../packages/base-tensor/src/index.ts'
import { isClass, publicExports } from './wrong-arguments/exports.ts'
import { instances, PLAIN, samples } from './wrong-arguments/values.ts'

/** Calls with several arguments, some of which fit: for what lies behind the first check. */
const RANDOM_CALLS = 60

/** Not called, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  testFormat: 'describes tests, which vitest refuses within one',
}

const own = await samples()
const values = [...PLAIN, ...own]
const folder = mkdtempSync(join(tmpdir(), 'ao-wrong-arguments-'))
const home = process.cwd()
beforeAll(() => process.chdir(folder)) // a path such as `x` may be written to
afterAll(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})

type Call = (...args: unknown[]) => unknown

/** What is no error of ours, once for each message. */
async function foreignErrors(call: Call, count: number): Promise<string[]> {
  const found = new Set<string>()
  for (const args of argumentLists(count)) {
    try {
      const result = (await call(...args)) as { next?: Call } | undefined
      // What a generator's function does wrong comes out at its first step.
      if (typeof result?.next === 'function') await result.next()
    } catch (error) {
      if (!AoError.isInstance(error)) found.add(`${String(error)} ${placeOf(error)}`)
    }
  }
  return [...found]
}

function placeOf(error: unknown): string {
  const { stack = '' } = Object(error) as { readonly stack?: string }
  return /packages\/[\w./-]+:\d+/.exec(stack)?.[0] ?? ''
}

function* argumentLists(count: number): Generator<unknown[]> {
  yield []
  for (const value of values) yield new Array<unknown>(Math.max(count, 1)).fill(value)
  let state = 1
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let i = 0; i < RANDOM_CALLS; i++) {
    const pool = i % 2 === 0 ? values : own
    yield Array.from({ length: 1 + next(count + 1) }, () => pool[next(pool.length)])
  }
}

/** Methods of an object or a class, inherited ones too, but for those of Object and Function. */
function methodsOf(object: object): [name: string, call: Call, count: number][] {
  const names = new Map<string, Call>()
  for (let from = object; from !== null; from = Object.getPrototypeOf(from) as object) {
    if (from === Object.prototype || from === Function.prototype) break
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (name === 'constructor' || typeof value !== 'function' || isClass(value)) continue
      if (!names.has(name)) names.set(name, value as Call)
    }
  }
  return [...names].map(([name, method]) => [
    name,
    (...args) => method.apply(object, args),
    method.length,
  ])
}

const all = await publicExports()
const functions = new Map<unknown, string>()
for (const { entry, name, value } of all) {
  if (typeof value !== 'function' || name in LEFT_OUT || functions.has(value)) continue
  functions.set(value, `${entry} ${name}`)
}

describe('wrong arguments', () => {
  it('are tried on every function that is exported', () => {
    expect(functions.size).toBeGreaterThan(200)
    expect(Object.keys(LEFT_OUT).filter((name) => !all.some((each) => each.name === name))).toEqual(
      [],
    )
  })

  it.each([...functions].map(([value, label]) => [label, value as Call] as const))(
    'give our errors: %s',
    async (_, value) => {
      const found: Record<string, string[]> = {}
      const record = async (name: string, call: Call, count: number): Promise<void> => {
        const errors = await foreignErrors(call, count)
        if (errors.length > 0) found[name] = errors
      }
      if (isClass(value)) {
        await record('new', (...args) => new value(...args), value.length)
        for (const method of methodsOf(value)) await record(...method)
      } else {
        await record('call', value, value.length)
      }
      expect(found).toEqual({})
    },
  )

  it.each((await instances()).map((object) => [object.constructor.name, object] as const))(
    'give our errors in methods of a %s',
    async (_, object) => {
      const found: Record<string, string[]> = {}
      for (const [name, call, count] of methodsOf(object)) {
        const errors = await foreignErrors(call, count)
        if (errors.length > 0) found[name] = errors
      }
      expect(found).toEqual({})
    },
  )
})
