/**
 * @file A process of its own, since a call may never end: calls everything that packages export with what it
 * does not take, and prints what came out that is no error of ours.
 *
 *     walk.ts <file that says which call is made> <package>...
 */
import { openSync, writeSync } from 'node:fs'
import { AoError } from '../../../../packages/base-tensor/src/index.ts'
import { isClass, publicExports } from './exports.ts'
import { NOT_CALLED, NOT_CALLED_ENTRIES } from './not-called.ts'
import { VALID } from './valid.ts'
import { instances, plain, samples, type Named } from './values.ts'

/** Calls of one function with values at random: for what lies behind the first check. */
const RANDOM_CALLS = 40
/** Calls that gave a result, of which each argument in turn is spoiled. */
const SPOILED = 3

/** How messages of packages without our error classes begin. */
const OURS = /^\[@ao\/[\w-]+\] Expected /

type Call = (...args: unknown[]) => unknown

const [statusFile = '', ...packages] = process.argv.slice(2)
const status = openSync(statusFile, 'w')
let calls = 0

/** Says which call is made, in a record of a fixed size. */
function announce(label: string, args: readonly Named[]): void {
  const text = `${++calls} ${label}(${args.map(([name]) => name).join(', ')})`
  writeSync(status, text.slice(0, 200).padEnd(200), 0)
}

/** Calls `call`, and says how it ended. */
async function outcome(
  label: string,
  call: Call,
  args: readonly Named[],
): Promise<'result' | 'refused' | Error> {
  announce(label, args)
  try {
    let result = call(...args.map(([, value]) => value))
    if (result instanceof Promise) result = await result
    // What a generator's function does wrong comes out at its first step.
    const steps = result as Partial<AsyncGenerator> | undefined | null
    if (typeof steps?.next === 'function' && typeof steps.return === 'function') {
      await steps.next()
      await steps.return(undefined)
    }
    const { close } = Object(result) as { close?: () => unknown }
    if (typeof close === 'function') await close.call(result)
    return 'result'
  } catch (error) {
    if (AoError.isInstance(error) || OURS.test(String((error as Error | undefined)?.message)))
      return 'refused'
    return error instanceof Error ? error : new Error(`thrown: ${String(error)}`)
  }
}

/** Where an error came out, as a path below `packages/`. */
function placeOf(error: Error): string {
  return /packages\/([\w./-]+:\d+)/.exec(error.stack ?? '')?.[1] ?? 'outside'
}

let state = 1
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * below)
}

/** What is no error of ours, once for each place. */
async function walk(
  label: string,
  call: Call,
  count: number,
  valid: readonly unknown[] | undefined,
): Promise<void> {
  const own = samples()
  const values = [...plain(), ...own]
  const known = new Set<string>()
  const fitting: (readonly Named[])[] = []
  const attempt = async (args: readonly Named[]): Promise<void> => {
    const ended = await outcome(label, call, args)
    if (ended === 'result' && args.length > 0 && fitting.length < SPOILED) fitting.push(args)
    if (!(ended instanceof Error)) return
    const place = placeOf(ended)
    if (known.has(place)) return
    known.add(place)
    found.push(
      `${label}(${args.map(([name]) => name).join(', ')}): ${String(ended)} at ${place}`.replaceAll(
        '\n',
        ' ',
      ),
    )
  }
  await attempt([])
  for (const value of values) await attempt(new Array<Named>(Math.max(count, 1)).fill(value))
  for (let i = 0; i < RANDOM_CALLS; i++) {
    const pool = i % 2 === 0 ? values : own
    const length = 1 + random(count + 1)
    await attempt(Array.from({ length }, () => pool[random(pool.length)] as Named))
  }
  if (valid) {
    const args = valid.map((value) => ['valid', value] as const)
    const ended = await outcome(label, call, args)
    if (ended !== 'result') found.push(`${label} with valid arguments: ${String(ended)}`)
    fitting.unshift(args)
  }
  for (const args of fitting.slice(0, SPOILED)) {
    for (const at of args.keys()) for (const value of values) await attempt(args.with(at, value))
  }
}

/** Methods of an object or a class, inherited ones too, but for those of Object and Function. */
function methodsOf(object: object): [name: string, call: Call, count: number][] {
  const names = new Map<string, Call>()
  for (let from = object; from !== null; from = Object.getPrototypeOf(from) as object) {
    if (from === Object.prototype || from === Function.prototype) break
    if (from === Error.prototype || from === Error) break
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

const found: string[] = []
const functions = new Set<unknown>()
const notCalled = new Set(Object.keys(NOT_CALLED))
const exported = await publicExports(packages)
for (const { entry, name, value } of exported) {
  if (typeof value !== 'function' || functions.has(value)) continue
  functions.add(value)
  const label = `${entry} ${name}`
  if (notCalled.has(name) || entry in NOT_CALLED_ENTRIES) continue
  if (!isClass(value)) {
    await walk(label, value as Call, value.length, VALID[name]?.())
    continue
  }
  // An error about an error would hide the first.
  if (value.prototype instanceof Error) continue
  await walk(`${label} new`, (...args) => new value(...args), value.length, VALID[name]?.())
  for (const [method, call, count] of methodsOf(value)) {
    const full = `${name}.${method}`
    if (!notCalled.has(full)) await walk(`${entry} ${full}`, call, count, VALID[full]?.())
  }
}
const classes = new Set<unknown>(exported.map(({ value }) => value))
for (const [name, make] of instances()) {
  // One of each class.
  if (!classes.delete(make().constructor)) continue
  for (const [method, call, count] of methodsOf(make())) {
    const full = `${make().constructor.name}#${method}`
    if (!notCalled.has(full)) await walk(`${name} ${full}`, call, count, VALID[full]?.())
  }
}
process.stdout.write(JSON.stringify({ functions: functions.size, calls, found }))
