/** @file Checks of arguments, for callers that no compiler checked. */

import { isDType } from './dtype.ts'
import { ValueError, fail } from './errors.ts'
import type { Tensor } from './tensor.ts'

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

type Check = (value: unknown) => boolean

const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)

/** What a letter stands for: in words, and as a check. */
const KINDS: Readonly<Record<string, readonly [what: string, check: Check]>> = {
  t: ['a tensor', isTensor],
  T: ['a list of tensors', /* @__PURE__ */ listOf(isTensor)],
  p: [
    'a list of tensors',
    /* @__PURE__ */ listOf((value) => value === undefined || isTensor(value)),
  ],
  s: ['a list of integers', /* @__PURE__ */ listOf(Number.isInteger)],
  l: ['a list', Array.isArray],
  n: ['a number', (value) => typeof value === 'number'],
  x: ['a text', (value) => typeof value === 'string'],
  z: ['a dtype', isDType],
  a: ['a typed array', ArrayBuffer.isView],
  f: ['a function', (value) => typeof value === 'function'],
  o: ['an object', (value) => Object(value) === value],
}

type Field = readonly [kind: string, needed?: string, known?: string, isOptional?: string]

const parsed = /* @__PURE__ */ new Map<string, readonly Field[]>()

/**
 * Checks the arguments of a public function.
 *
 * @param kinds - a letter for each argument: `t` a tensor, `T` a list of them, `p` one that may have gaps,
 * `s` a list of integers, `l` any list, `n` a number, `x` a text, `z` a dtype, `a` a typed array, `f` a
 * function, `o` an object, `.` anything. `o<read size:n>` must have these members, of these kinds where
 * one is named; `o{shape dtype}` may have no others. What ends in `?` may be undefined.
 * @throws {@link ValueError} naming the first argument that is of another kind, or the option that is not
 * known
 */
export function takes(kinds: string, ...args: readonly unknown[]): void {
  let fields = parsed.get(kinds)
  if (!fields) {
    const matches = kinds.matchAll(/([\w.])(?:<([^>]*)>)?(?:\{([^}]*)\})?(\?)?/g)
    fields = [...matches].map(([, ...field]) => field as unknown as Field)
    parsed.set(kinds, fields)
  }
  fields.forEach(([kind, needed, known, isOptional], i) => {
    const value = args[i]
    if (isOptional && value === undefined) return
    const name = `argument ${i + 1}`
    expectKind(kind, value, name)
    for (const member of needed?.split(' ') ?? []) {
      const [key, memberKind] = member.split(':') as [string, string?]
      const found = (value as Record<string, unknown>)[key]
      if (found === undefined) throw fail(ValueError, `${name} to have ${key}`, value)
      if (memberKind !== undefined) expectKind(memberKind, found, key)
    }
    if (known === undefined) return
    const stray = Object.keys(value as object).find((key) => !known.split(' ').includes(key))
    if (stray !== undefined) {
      throw fail(ValueError, `options among ${known.replaceAll(' ', ', ')}`, stray)
    }
  })
}

function expectKind(kind: string, value: unknown, name: string): void {
  const [what, check] = KINDS[kind] ?? ['', () => true]
  if (!check(value)) throw fail(ValueError, `${what} as ${name}`, value ?? String(value))
}
