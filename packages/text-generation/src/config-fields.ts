/** @file Reads fields of a JSON object that nobody has checked yet, and knows which were asked for. */

import { FormatError, takes } from '@ao/base-tensor'

/** A field that was written and that nobody asked for. */
export interface UnreadField {
  readonly name: string
  readonly value: unknown
  /** Where it stands, for messages. */
  readonly where: string
}

/** A JSON object and where it stands, for messages: `vocab_size in config.json`. */
export class ConfigFields {
  readonly where: string
  readonly #json: Readonly<Record<string, unknown>>
  readonly #read = new Set<string>()
  readonly #children = new Map<string, ConfigFields>()

  constructor(json: unknown, where: string) {
    takes('.x', json, where)
    if (!isObject(json)) {
      throw new FormatError({
        package: '@ao/text-generation',
        expected: `${where} to hold a JSON object`,
        got: describe(json),
      })
    }
    this.where = where
    this.#json = json
  }

  /** Whether the field is written, be it as null. */
  has(name: string): boolean {
    return Object.hasOwn(this.#json, name)
  }

  /** The field's value; undefined where it is absent or null, as Hugging Face writes "not set". */
  get(name: string): unknown {
    this.#read.add(name)
    return this.has(name) ? (this.#json[name] ?? undefined) : undefined
  }

  /** An integer from 1 to `max`. */
  size(name: string, fallback: number | undefined, max: number): number {
    return this.#checked(
      name,
      fallback,
      `an integer from 1 to ${max}`,
      (value): value is number => Number.isInteger(value) && within(value, 1, max),
    )
  }

  /** A number from `min` to `max`. */
  number(name: string, fallback: number | undefined, min: number, max: number): number {
    return this.#checked(
      name,
      fallback,
      `a number from ${min} to ${max}`,
      (value): value is number => typeof value === 'number' && within(value, min, max),
    )
  }

  boolean(name: string, fallback: boolean): boolean {
    return this.#checked(
      name,
      fallback,
      'true or false',
      (value): value is boolean => typeof value === 'boolean',
    )
  }

  choice<T extends string>(name: string, options: readonly T[], fallback: T | undefined): T {
    return this.#checked(name, fallback, `one of ${options.join(', ')}`, (value): value is T =>
      options.includes(value as T),
    )
  }

  /** A token id, several or none. */
  ids(name: string, fallback: readonly number[]): readonly number[] {
    const ids = this.has(name) ? [this.get(name) ?? []].flat() : fallback
    const isId = (id: unknown): id is number => Number.isSafeInteger(id) && (id as number) >= 0
    if (ids.every(isId)) return Object.freeze(ids)
    return this.reject(name, 'a token id or a list of them')
  }

  /** A list of numbers from `min` to `max`. */
  numbers(name: string, min: number, max: number): readonly number[] {
    const isNumber = (value: unknown): boolean =>
      typeof value === 'number' && within(value, min, max)
    return this.#checked(
      name,
      undefined,
      `a list of numbers from ${min} to ${max}`,
      (value): value is readonly number[] => Array.isArray(value) && value.every(isNumber),
    )
  }

  /** For each of `count` layers, one of `options`; what `fallback` gives where the list is absent. */
  layers<T>(
    name: string,
    count: number,
    options: readonly T[],
    fallback: (layer: number) => T,
  ): readonly T[] {
    const all = Array.from({ length: count }, (_, layer) => fallback(layer))
    return this.#checked(
      name,
      all,
      `a list with one of ${options.join(', ')} for each of ${count} layers`,
      (value): value is readonly T[] =>
        Array.isArray(value) &&
        value.length === count &&
        value.every((one) => options.includes(one)),
    )
  }

  /** A nested object, or undefined where it is absent or empty. */
  child(name: string): ConfigFields | undefined {
    const json = this.get(name)
    if (json === undefined) return undefined
    const child = this.#children.get(name) ?? new ConfigFields(json, `${name} in ${this.where}`)
    this.#children.set(name, child)
    return Object.keys(child.#json).length > 0 ? child : undefined
  }

  /** The fields that are written and that nobody asked for, those of nested objects included. */
  unread(): UnreadField[] {
    const own = Object.entries(this.#json)
      .filter(([name]) => !this.#read.has(name))
      .map(([name, value]) => ({ name, value, where: this.where }))
    return own.concat([...this.#children.values()].flatMap((child) => child.unread()))
  }

  /** @throws {@link FormatError} always: the field is not what it is `expected` to be */
  reject(name: string, expected: string, cure?: string): never {
    throw new FormatError({
      package: '@ao/text-generation',
      expected: `${name} in ${this.where} to be ${expected}`,
      got: describe(this.get(name)),
      ...(cure === undefined ? {} : { cure }),
    })
  }

  #checked<T>(
    name: string,
    fallback: T | undefined,
    expected: string,
    accepts: (value: unknown) => value is T,
  ): T {
    const value = this.get(name) ?? fallback
    return accepts(value) ? value : this.reject(name, expected)
  }
}

/** Whether `json` is an object with fields: not null, and not an array. */
export function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** A value for messages, cut where it is long. */
export function describe(json: unknown): string {
  // JSON has no big integers.
  const text =
    JSON.stringify(json, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ??
    'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

function within(value: unknown, min: number, max: number): boolean {
  return (value as number) >= min && (value as number) <= max
}
