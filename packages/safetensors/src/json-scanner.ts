/**
 * @file Walks through JSON text from files that nobody vouches for, one token after the other. Nothing is
 * built on the way, so that limits stop it before any memory is spent.
 *
 * As strict as the reader of the reference implementation (serde_json): RFC 8259, no lone surrogates, no
 * nesting beyond {@link MAX_JSON_DEPTH}; and no key twice in one object, since readers would not agree.
 */

import { quote, quoteText, refuse } from './errors.ts'
import { MAX_JSON_DEPTH } from './limits.ts'

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const LITERAL = /true|false|null/y
const PYTHON_NUMBER = /NaN|-?Infinity/y

const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30
const NINE = 0x39

export class JsonScanner {
  readonly text: string
  readonly #what: string
  readonly #python: boolean
  #at = 0
  #depth = 0
  /** Whether a number was met that only Python writes: `NaN`, `Infinity`. */
  sawPythonNumber = false

  /**
   * @param what - the text's name in messages, such as `the header of model.safetensors`
   * @param python - whether `NaN`, `Infinity` and `-Infinity` are numbers
   */
  constructor(text: string, what: string, python = false) {
    this.text = text
    this.#what = what
    this.#python = python
  }

  /** Where the next token begins. */
  get at(): number {
    this.#skipSpace()
    return this.#at
  }

  /** Where the last token ended. */
  get last(): number {
    return this.#at
  }

  /** The next token's first character; '' at the end. */
  peek(): string {
    this.#skipSpace()
    return this.text.charAt(this.#at)
  }

  /** Steps through an object: `member` is called before each value and must take it. */
  object(member: (key: string) => void): void {
    this.#open('{')
    const keys = new Set<string>()
    if (this.peek() !== '}') {
      do {
        if (this.peek() !== '"') this.#invalid()
        const key = this.string()
        if (keys.has(key)) {
          refuse(
            `${this.#what} to name each key once`,
            `${quote(key)} twice`,
            'Readers would not agree on which one counts, so write the file again.',
          )
        }
        keys.add(key)
        this.#take(':')
        member(key)
      } while (this.#takeIf(','))
    }
    this.#close('}')
  }

  /** Steps through a list: `item` is called before each value and must take it. */
  list(item: () => void): void {
    this.#open('[')
    if (this.peek() !== ']') {
      do item()
      while (this.#takeIf(','))
    }
    this.#close(']')
  }

  /** Any value; its text is what was given for it. */
  skip(): string {
    const start = this.at
    this.#value()
    return this.text.slice(start, this.#at)
  }

  /** A string. Halves of surrogate pairs are left to the caller: see {@link isUnpaired}. */
  string(): string {
    const { text } = this
    const start = ++this.#at
    let escaped = false
    for (; ; this.#at++) {
      const unit = text.charCodeAt(this.#at)
      if (unit === QUOTE) break
      if (unit === BACKSLASH) {
        escaped = true
        this.#at++
      } else if (!(unit >= 0x20)) this.#invalid()
    }
    const raw = text.slice(start, this.#at++)
    if (!escaped) return raw
    try {
      return JSON.parse(`"${raw}"`) as string
    } catch {
      return refuse(`${this.#what} to be valid JSON`, `the string "${quoteText(raw)}"`, DAMAGED)
    }
  }

  /** A number that is spelled as a count, as Rust reads a `usize`: `2`, not `2.0`, `2e0` or `-0`. */
  count(): number | undefined {
    const start = this.at
    const { text } = this
    let value = 0
    let digits = 0
    for (; ; digits++) {
      const unit = text.charCodeAt(start + digits)
      if (!(unit >= ZERO && unit <= NINE)) break
      value = value * 10 + (unit - ZERO)
    }
    const next = text.charAt(start + digits)
    const leadingZero = digits > 1 && text.charCodeAt(start) === ZERO
    if (digits === 0 || leadingZero || next === '.' || next === 'e' || next === 'E') {
      this.#value()
      return undefined
    }
    this.#at = start + digits
    return Number.isSafeInteger(value) ? value : undefined
  }

  /** @throws {@link FormatError} unless nothing but space is left */
  end(): void {
    if (this.peek() !== '') this.#invalid()
  }

  #value(): void {
    switch (this.peek()) {
      case '{':
        this.object(() => this.#value())
        break
      case '[':
        this.list(() => this.#value())
        break
      case '"': {
        const text = this.string()
        if (isUnpaired(text)) {
          refuse(`${this.#what} to be Unicode text`, quote(text), 'Write the file again.')
        }
        break
      }
      default:
        if (this.#match(NUMBER) || this.#match(LITERAL)) return
        if (!this.#python || !this.#match(PYTHON_NUMBER)) this.#invalid()
        this.sawPythonNumber = true
    }
  }

  #open(bracket: '{' | '['): void {
    this.#take(bracket)
    if (++this.#depth > MAX_JSON_DEPTH) {
      refuse(`${this.#what} to nest at most ${MAX_JSON_DEPTH} levels`, 'more', DAMAGED)
    }
  }

  #close(bracket: '}' | ']'): void {
    this.#take(bracket)
    this.#depth--
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.text)) return false
    this.#at = pattern.lastIndex
    return true
  }

  #take(mark: string): void {
    if (!this.#takeIf(mark)) this.#invalid()
  }

  #takeIf(mark: string): boolean {
    if (this.peek() !== mark) return false
    this.#at++
    return true
  }

  #skipSpace(): void {
    for (; ; this.#at++) {
      const unit = this.text.charCodeAt(this.#at)
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return
    }
  }

  #invalid(): never {
    const rest = this.text.slice(this.#at, this.#at + 20)
    const got = rest === '' ? 'its end' : quote(rest)
    return refuse(
      `${this.#what} to be valid JSON`,
      `${got} at character ${Math.min(this.#at, this.text.length)}`,
      DAMAGED,
    )
  }
}

/** Whether text holds half of a surrogate pair, which UTF-8 cannot. */
export function isUnpaired(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}

export const DAMAGED = 'It is damaged, or of another kind.'
