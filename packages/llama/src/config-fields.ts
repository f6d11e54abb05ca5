/** @file Reads fields of a JSON object that nobody has checked yet. */

import { FormatError } from '@ao/base-tensor'

// Far above the sizes of real models, and so low that the product of any two is an exact integer.
const MAX_SIZE = 2 ** 24

/** A JSON object and where it stands, for messages: `vocab_size in config.json`. */
export class ConfigFields {
  readonly #json: Readonly<Record<string, unknown>>
  readonly #where: string

  constructor(json: unknown, where: string) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new FormatError({
        package: '@ao/llama',
        expected: `${where} to hold a JSON object`,
        got: describe(json),
      })
    }
    this.#json = json as Readonly<Record<string, unknown>>
    this.#where = where
  }

  /** Whether the field is written, be it as null. */
  has(name: string): boolean {
    return Object.hasOwn(this.#json, name)
  }

  /** The field's value; undefined where it is absent or null, as Hugging Face writes "not set". */
  get(name: string): unknown {
    return this.has(name) ? (this.#json[name] ?? undefined) : undefined
  }

  /** An integer from 1 to `max`. */
  size(name: string, fallback: number | undefined, max: number = MAX_SIZE): number {
    return this.#checked(
      name,
      fallback,
      `an integer from 1 to ${max}`,
      (value): value is number => Number.isInteger(value) && within(value, 1, max),
    )
  }

  /** A finite number above 0. */
  positive(name: string, fallback?: number): number {
    return this.#checked(
      name,
      fallback,
      'a number above 0',
      (value): value is number =>
        Number.isFinite(value) && within(value, Number.MIN_VALUE, Infinity),
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

  /** A nested object, or undefined where it is absent. */
  child(name: string): ConfigFields | undefined {
    const json = this.get(name)
    return json === undefined ? undefined : new ConfigFields(json, `${name} in ${this.#where}`)
  }

  /** @throws {@link FormatError} always: the field is not what it is `expected` to be */
  reject(name: string, expected: string, cure?: string): never {
    throw new FormatError({
      package: '@ao/llama',
      expected: `${name} in ${this.#where} to be ${expected}`,
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

function within(value: unknown, min: number, max: number): boolean {
  return (value as number) >= min && (value as number) <= max
}

function describe(json: unknown): string {
  const text = JSON.stringify(json) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}
