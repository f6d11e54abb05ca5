/**
 * @file Whether an expression of tokenizer.json can take time that no text warrants.
 *
 * RegExp tries one way after the other. Two shapes let their number explode, and are refused: a group that
 * can match one text in several ways and repeats, such as `(a+)+` or `(a|a)*`, for which it doubles with
 * each character; and repetitions of the same characters in a row before something that must follow, such as
 * `a*a*b`, for which it grows with the text's length to the power of three or more. What tokenizers do use,
 * such as `\s*[\r\n]+` or `(?:\p{N}{3})*`, grows with its square at most.
 */

/** A part of a sequence, with how often it comes. */
interface Item {
  readonly min: number
  readonly max: number
  /** Its characters; undefined where they may be any. */
  readonly characters: ((character: string) => boolean) | undefined
  /** Whether it can match one text in several ways by itself. */
  readonly varies: boolean
  /** Whether something in it, or itself, has no small bound. */
  readonly long: boolean
  /** A lookaround or an edge: takes no characters. */
  readonly empty: boolean
  /** The one character that it stands for, if it is one. */
  readonly literal?: string
}

const MAX_LENGTH = 10_000
const MAX_NESTING = 50
/** Repetitions up to this count as short ones: `\p{N}{1,3}`. */
const SHORT = 8
/** Ways in which the short parts of one sequence may match, as a power of two: `a?` has two, `a{1,3}` three. */
const MAX_WAYS = 12

const GROUP = /\((?:\?(?:<?[=!]|>|<\w+>|[a-z]*(?:-[a-z]+)?:))?/y
const QUANTIFIER = /([*+?]|\{(\d*)(?:(,)(\d*))?\})[?+]?/y
const ESCAPE = /\\(?:[pP]\{[^}]*\}|x[\da-fA-F]{2}|u[\da-fA-F]{4}|.)/sy
const EDGE = /\\[bBAzZG]|[$^]/y
const REFERENCE = /\\(?:[1-9]|k<)/y

/** What is wrong with a pattern; undefined where its time is bounded. */
export function findCostlyPart(pattern: string): string | undefined {
  if (pattern.length > MAX_LENGTH) return `${pattern.length} characters`
  try {
    const reader = new Reader(pattern)
    reader.alternatives()
    return reader.left ? 'a parenthesis that opens nowhere' : undefined
  } catch (error) {
    if (error instanceof Costly) return error.message
    throw error
  }
}

class Costly extends Error {}

class Reader {
  readonly #text: string
  #at = 0
  #nesting = 0

  constructor(text: string) {
    this.#text = text
  }

  get left(): boolean {
    return this.#at < this.#text.length
  }

  alternatives(): readonly (readonly Item[])[] {
    if (++this.#nesting > MAX_NESTING) throw new Costly('groups nested too deep')
    const sequences = [this.#sequence()]
    while (this.#text[this.#at] === '|') {
      this.#at++
      sequences.push(this.#sequence())
    }
    this.#nesting--
    return sequences
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found) this.#at = pattern.lastIndex
    return found ?? undefined
  }

  #sequence(): readonly Item[] {
    const items: Item[] = []
    while (this.left && !'|)'.includes(this.#text.charAt(this.#at))) {
      const start = this.#at
      items.push(this.#repeated(this.#atom(), start))
    }
    checkSequence(items)
    return items
  }

  #repeated(item: Item, start: number): Item {
    const found = this.#take(QUANTIFIER)
    if (!found) return item
    const [, mark = '', least, comma, most] = found
    const min = least === undefined ? (mark === '+' ? 1 : 0) : Number(least)
    const open = mark === '*' || mark === '+' || (comma !== undefined && most === '')
    const max = open ? Infinity : mark === '?' ? 1 : Number(most || least)
    if (max > 1 && item.varies) {
      throw new Costly(`the repeated group ${this.#text.slice(start, this.#at).slice(0, 60)}`)
    }
    return {
      ...item,
      min: Math.min(min, 1) * item.min,
      max: Math.max(max, item.max),
      varies: item.varies || min !== max,
      long: item.long || max > SHORT,
    }
  }

  #atom(): Item {
    const open = this.#take(GROUP)
    if (open) return this.#group(open[0])
    if (this.#take(REFERENCE)) throw new Costly('a reference to a group')
    if (this.#take(EDGE)) return { ...ONE, characters: undefined, empty: true }
    const source = this.#text[this.#at] === '[' ? this.#class() : this.#take(ESCAPE)?.[0]
    if (source !== undefined) return { ...ONE, characters: testOf(source), literal: source }
    const character = this.#text.charAt(this.#at++)
    if (character === '.') return { ...ONE, characters: undefined }
    return { ...ONE, characters: (other) => other === character, literal: character }
  }

  #group(mark: string): Item {
    const sequences = this.alternatives()
    this.#at++
    const items = sequences.flat()
    return {
      ...ONE,
      characters: undefined,
      min: sequences.some((sequence) => sequence.every(({ min, empty }) => empty || min === 0))
        ? 0
        : 1,
      varies: items.some(({ varies }) => varies) || !differFromTheStart(sequences),
      long: items.some(({ long }) => long),
      empty: /[=!]$/.test(mark),
    }
  }

  /** A class, with the classes in it. */
  #class(): string {
    const start = this.#at
    let depth = 0
    do {
      const character = this.#text[this.#at++]
      if (character === '\\') this.#at++
      else if (character === '[') depth++
      else if (character === ']') depth--
    } while (depth > 0 && this.left)
    return this.#text.slice(start, this.#at)
  }
}

const ONE = { min: 1, max: 1, varies: false, long: false, empty: false } as const

/** Whether the first character decides which alternative it is. */
function differFromTheStart(sequences: readonly (readonly Item[])[]): boolean {
  if (sequences.length === 1) return true
  const firsts = sequences.map(([first]) => first?.literal)
  const plain = firsts.every(
    (first) => first !== undefined && /^(?:[^\\[]|\\[nrtfv\W])$/.test(first),
  )
  return plain && new Set(firsts).size === firsts.length
}

function checkSequence(items: readonly Item[]): void {
  const short = items.filter(({ varies, long }) => varies && !long)
  const ways = short.reduce((sum, { max }) => sum + Math.log2(max + 1), 0)
  if (ways > MAX_WAYS) throw new Costly(`${short.length} optional parts in a row`)
  const long = items.flatMap((item, i) => (item.long && !item.empty ? [i] : []))
  for (const [n, second] of long.entries()) {
    const rivals = long.slice(0, n).filter((first) => {
      // What must come between them keeps them apart, unless both may take it, too.
      const between = items.slice(first + 1, second)
      const pair = [items[first], items[second]] as [Item, Item]
      return (
        overlap(...pair) &&
        between.every((item) => item.min === 0 || item.empty || overlap(item, pair[0]))
      )
    })
    const required = items.slice(second + 1).some(({ min, empty }) => min > 0 || empty)
    if (rivals.length > 1 || (rivals.length === 1 && required)) {
      throw new Costly('repetitions of the same characters in a row')
    }
  }
}

/** Letters, digits, marks, spaces and signs of many scripts. */
const SAMPLE: readonly string[] = /* @__PURE__ */ makeSample()

function makeSample(): string[] {
  const plain = Array.from({ length: 0x600 }, (_, code) => String.fromCodePoint(code))
  return [...plain, ...'ऀअ०กー一가ᄀ\u2003\u2028€→😀𝟎𐐀ǅʰ\u20dd\ufeff']
}

function overlap({ characters: a }: Item, { characters: b }: Item): boolean {
  if (!a || !b) return true
  return SAMPLE.some((character) => a(character) && b(character))
}

function testOf(source: string): Item['characters'] {
  for (const flags of ['u', 'v']) {
    try {
      const pattern = new RegExp(`^${source}$`, flags)
      return (character) => pattern.test(character)
    } catch {
      // A class that only other engines know: it may hold anything.
    }
  }
  return undefined
}
