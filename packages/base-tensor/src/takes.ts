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
  (value) => {
    if (!Array.isArray(value)) return false
    for (let i = 0; i < value.length; i++) if (!check(value[i])) return false
    return true
  }

/** What a letter stands for: in words, and as a check. */
const KINDS: Readonly<Record<string, readonly [what: string, check: Check]>> = {
  t: ['a tensor', isTensor],
  T: ['a list of tensors', /* @__PURE__ */ listOf(isTensor)],
  p: [
    'a list of tensors',
    /* @__PURE__ */ listOf((value) => (value ?? undefined) === undefined || isTensor(value)),
  ],
  s: ['a list of integers', /* @__PURE__ */ listOf(Number.isInteger)],
  l: ['a list', Array.isArray],
  i: ['an iterable', (value) => Symbol.iterator in Object(value)],
  n: ['a number', (value) => typeof value === 'number'],
  x: ['a text', (value) => typeof value === 'string'],
  z: ['a dtype', isDType],
  a: ['a typed array', ArrayBuffer.isView],
  F: [
    'a Float32Array',
    (value) => Object.prototype.toString.call(value) === '[object Float32Array]',
  ],
  f: ['a function', (value) => typeof value === 'function'],
  o: ['an object', (value) => Object(value) === value],
}

type Kind = readonly [what: string, check: Check]

interface Field {
  readonly kind: Kind
  readonly needed: readonly (readonly [key: string, kind: Kind])[]
  readonly known: readonly string[] | undefined
  readonly isOptional: boolean
}

const parsed = /* @__PURE__ */ new Map<string, readonly Field[]>()

/**
 * Checks the arguments of a public function.
 *
 * @param kinds - a letter for each argument: `t` a tensor, `T` a list of them, `p` one that may have gaps,
 * `s` a list of integers, `l` any list, `i` anything to iterate over, `n` a number, `x` a text, `z` a dtype, `a` a typed array, `F` a
 * Float32Array, `f` a function, `o` an object, `.` anything. `o<read size:n>` must have these members, of these kinds where
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
    if (!kind[1](value)) throw refused(kind, `argument ${i + 1}`, value)
    for (let j = 0; j < needed.length; j++) {
      const [key, memberKind] = needed[j] as Field['needed'][number]
      const found = (value as Record<string, unknown>)[key]
      if (found === undefined) throw fail(ValueError, `argument ${i + 1} to have ${key}`, value)
      if (!memberKind[1](found)) throw refused(memberKind, key, found)
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
  return Array.from(matches, ([, kind, needed, known, isOptional]) => ({
    kind: kindOf(kind),
    needed: (needed?.split(' ') ?? []).map((member) => {
      const [key, memberKind] = member.split(':') as [string, string?]
      return [key, kindOf(memberKind)] as const
    }),
    known: known?.split(' '),
    isOptional: isOptional !== undefined,
  }))
}

const kindOf = (letter: string = '.'): Kind => KINDS[letter] ?? ['', () => true]

const refused = ([what]: Kind, name: string, value: unknown): ValueError =>
  fail(ValueError, `${what} as ${name}`, value ?? String(value))
