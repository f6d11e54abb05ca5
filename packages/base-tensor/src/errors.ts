/**
 * @file The errors of every `@ao` package.
 *
 * A message says what was expected, what was got and what to do about it, in that order:
 * `[@ao/int8] Expected groupSize to divide K=4096, got 48. Use 32, 64 or 128.`
 *
 * Two copies of a package may live in one application, and `instanceof` fails between them. Use the
 * static `isInstance`, which looks for a marker that all copies share.
 */

const MARKER: unique symbol = Symbol.for('@ao/error') as never

/** What an error says. Parts that do not apply are left out. */
export interface AoErrorParts {
  /** The package that refuses, such as `@ao/int8`. */
  readonly package: string
  readonly expected: string
  readonly got?: string | undefined
  /** What the reader can do: a full sentence. */
  readonly cure?: string | undefined
  readonly cause?: unknown
}

/** Any error that `@ao` packages throw on purpose. */
export class AoError extends Error {
  /** The class's name, kept as data because minifiers rename classes. */
  static readonly errorName: string = 'AoError'

  readonly package: string
  readonly expected: string
  readonly got: string | undefined
  readonly cure: string | undefined

  constructor(parts: AoErrorParts) {
    const got = parts.got === undefined ? '' : `, got ${parts.got}`
    const cure = parts.cure === undefined ? '' : ` ${parts.cure}`
    // An undefined cause would still be printed with the error.
    const options = parts.cause === undefined ? undefined : { cause: parts.cause }
    super(`[${parts.package}] Expected ${parts.expected}${got}.${cure}`, options)
    this.package = parts.package
    this.expected = parts.expected
    this.got = parts.got
    this.cure = parts.cure
    this.name = (this.constructor as typeof AoError).errorName
    const markers: string[] = []
    for (let c = this.constructor as typeof AoError; c.errorName; c = Object.getPrototypeOf(c)) {
      markers.push(c.errorName)
    }
    Object.defineProperty(this, MARKER, { value: markers })
  }

  /** Whether `error` is of this class, also when another copy of the package threw it. */
  static isInstance<C extends typeof AoError>(this: C, error: unknown): error is InstanceType<C> {
    const markers = (error as { [MARKER]?: readonly string[] } | null | undefined)?.[MARKER]
    return Array.isArray(markers) && markers.includes(this.errorName)
  }
}

/** A shape, rank, dimension or index that does not fit. */
export class ShapeError extends AoError {
  static override readonly errorName: string = 'ShapeError'
}

/** A dtype that the operation does not take. */
export class DTypeError extends AoError {
  static override readonly errorName: string = 'DTypeError'
}

/** A value that is out of range or of the wrong kind: an option, an attribute, a number. */
export class ValueError extends AoError {
  static override readonly errorName: string = 'ValueError'
}

/** A tensor subclass was asked for an operation that it does not have. */
export class UnsupportedOpError extends AoError {
  static override readonly errorName: string = 'UnsupportedOpError'
}

/** A device has no kernel for an operation. Nothing falls back to another device in silence. */
export class MissingKernelError extends AoError {
  static override readonly errorName: string = 'MissingKernelError'
}

/** Tensors of different devices in one call, or a device that is lost or lacks what is asked. */
export class DeviceError extends AoError {
  static override readonly errorName: string = 'DeviceError'
}

/** A file or its metadata is damaged, hostile or of an unknown kind. */
export class FormatError extends AoError {
  static override readonly errorName: string = 'FormatError'
}

/** Makes an error of one package, to be thrown; see {@link errorsOf}. */
export type ErrorMaker = <E extends AoError>(
  type: new (parts: AoErrorParts) => E,
  expected: string,
  got?: unknown,
  cure?: string,
) => E

/**
 * The errors of one package, without repeating its name:
 *
 *     const fail = errorsOf('@ao/int8')
 *     throw fail(ShapeError, 'a weight of 2 dimensions', shape, 'Select one expert first.')
 *
 * What was got is shown as text, a list such as a shape in brackets.
 */
/* @__NO_SIDE_EFFECTS__ */
export function errorsOf(packageName: string): ErrorMaker {
  return (type, expected, got, cure) =>
    new type({
      package: packageName,
      expected,
      got: got === undefined ? undefined : shown(got),
      cure,
    })
}

/** What was got, as text; objects of which there is none are named by their kind. */
function shown(got: unknown): string {
  try {
    if (typeof got === 'function') return 'a function'
    return Array.isArray(got) ? `[${got.map(shown).join(', ')}]` : String(got)
  } catch {
    return 'an object'
  }
}

/** The errors of this package. */
export const fail: ErrorMaker = /* @__PURE__ */ errorsOf('@ao/base-tensor')
