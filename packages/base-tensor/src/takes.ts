/** @file Checks of arguments, for callers that no compiler checked. */

import { isDType } from './dtype.ts'
import { ValueError, fail } from './errors.ts'
import type { Storage, Tensor } from './tensor.ts'

/** Whether `value` is a tensor of any kind, from any copy of this package. */
export function isTensor(value: unknown): value is Tensor {
  const tensor = value as Partial<Tensor> | null | undefined
  return (
    typeof tensor === 'object' &&
    tensor !== null &&
    Array.isArray(tensor.shape) &&
    typeof tensor.dtype === 'string' &&
    typeof tensor.copy_ === 'function'
  )
}

/** What a letter stands for, in words. */
const WORDS: Readonly<Record<string, string>> = {
  t: 'a tensor',
  T: 'a list of tensors',
  p: 'a list of tensors',
  s: 'a list of integers',
  l: 'a list',
  i: 'an iterable',
  n: 'a number',
  x: 'a text',
  z: 'a dtype',
  a: 'a typed array',
  F: 'a Float32Array',
  S: 'storage',
  f: 'a function',
  o: 'an object',
}

// A switch, not a table of functions, which engines would call one by one: every op comes by here.
function isKind(kind: string, value: unknown): boolean {
  switch (kind) {
    case 't':
      return isTensor(value)
    case 'T':
      return isListOf('t', value)
    case 'p':
      return isListOf('t?', value)
    case 't?':
      return (value ?? undefined) === undefined || isTensor(value)
    case 's':
      return areIntegers(value)
    case 'l':
      return Array.isArray(value)
    case 'i':
      return Symbol.iterator in Object(value)
    case 'n':
      return typeof value === 'number'
    case 'x':
      return typeof value === 'string'
    case 'z':
      return isDType(value)
    case 'a':
      return ArrayBuffer.isView(value)
    case 'F':
      return value instanceof Float32Array || tagOf(value) === '[object Float32Array]'
    case 'S':
      return isStorage(value)
    case 'f':
      return typeof value === 'function'
    case 'o':
      return typeof value === 'object' ? value !== null : typeof value === 'function'
    default:
      return true
  }
}

function isListOf(kind: string, value: unknown): boolean {
  if (!Array.isArray(value)) return false
  for (let i = 0; i < value.length; i++) if (!isKind(kind, value[i])) return false
  return true
}

function areIntegers(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  for (let i = 0; i < value.length; i++) if (!Number.isInteger(value[i])) return false
  return true
}

function isStorage(value: unknown): boolean {
  const { device, dtype, length } = Object(value) as Partial<Storage>
  return device !== undefined && isDType(dtype) && typeof length === 'number'
}

/** Tells typed arrays of other realms, which are no instances of this one's classes. */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value)

interface Field {
  readonly kind: string
  readonly needed: readonly (readonly [key: string, kind: string])[]
  readonly known: readonly string[] | undefined
  readonly isOptional: boolean
}

const parsed = /* @__PURE__ */ new Map<string, readonly Field[]>()

/**
 * Checks the arguments of a public function.
 *
 * @param kinds - a letter for each argument: `t` a tensor, `T` a list of them, `p` one that may have gaps,
 * `s` a list of integers, `l` any list, `i` anything to iterate over, `n` a number, `x` a text, `z` a dtype, `a` a typed array, `F` a
 * Float32Array, `S` storage of a device, `f` a function, `o` an object, `.` anything. `o<read size:n>` must have these members, of these kinds where
 * one is named; `o{shape dtype}` may have no others. What ends in `?` may be undefined.
 * @throws {@link ValueError} naming the first argument that is of another kind, or the option that is not
 * known
 */
export function takes(kinds: string, ...args: readonly unknown[]): void {
  let fields = parsed.get(kinds)
  if (!fields) parsed.set(kinds, (fields = parse(kinds)))
  // Every op comes by here: what is right makes no text and no objects.
  for (let i = 0; i < fields.length; i++) {
    const { kind, needed, known, isOptional } = fields[i] as Field
    const value = args[i]
    if (isOptional && value === undefined) continue
    if (!isKind(kind, value)) throw refused(kind, `argument ${i + 1}`, value)
    for (let j = 0; j < needed.length; j++) {
      const [key, memberKind] = needed[j] as Field['needed'][number]
      const found = (value as Record<string, unknown>)[key]
      if (found === undefined) throw fail(ValueError, `argument ${i + 1} to have ${key}`, value)
      if (!isKind(memberKind, found)) throw refused(memberKind, key, found)
    }
    if (known === undefined) continue
    const stray = Array.isArray(value)
      ? 'a list'
      : Object.keys(value as object).find((key) => !known.includes(key))
    if (stray !== undefined) throw fail(ValueError, `options among ${known.join(', ')}`, stray)
  }
}

function parse(kinds: string): Field[] {
  const matches = kinds.matchAll(/([\w.])(?:<([^>]*)>)?(?:\{([^}]*)\})?(\?)?/g)
  return Array.from(matches, ([, kind = '.', needed, known, isOptional]) => ({
    kind,
    needed: (needed?.split(' ') ?? []).map((member) => {
      const [key, memberKind = '.'] = member.split(':') as [string, string?]
      return [key, memberKind] as const
    }),
    known: known?.split(' '),
    isOptional: isOptional !== undefined,
  }))
}

const refused = (kind: string, name: string, value: unknown): ValueError =>
  fail(ValueError, `${WORDS[kind]} as ${name}`, value ?? String(value))
