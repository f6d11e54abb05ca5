/** @file Finds added tokens in a text, as the tokenizers library of Hugging Face does. */

/** An entry of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  /** Whether it counts only where no letter, digit or underscore touches it. */
  readonly single_word?: boolean
  /** Whether it takes white space before it, and after it. */
  readonly lstrip?: boolean
  readonly rstrip?: boolean
  /** Whether it is looked for in normalized text: `!special` unless given. */
  readonly normalized?: boolean
  readonly special?: boolean
}

/** A piece of text, or an added token in its place. */
export type Section = string | AddedToken

/** Cuts texts at the tokens of a list: leftmost first, the longest of those that begin at one place. */
export class AddedTokenSplitter {
  readonly #tokens = new Map<string, AddedToken>()
  readonly #firsts = new Set<string>()
  /** Of contents, longest first. */
  readonly #lengths: readonly number[]

  /** @param normalize - turns a token's content into the text that stands for it */
  constructor(tokens: readonly AddedToken[], normalize: (text: string) => string = (text) => text) {
    for (const token of tokens) {
      const content = normalize(token.content)
      if (content === '') continue
      this.#tokens.set(content, token)
      this.#firsts.add(content.charAt(0))
    }
    const lengths = new Set([...this.#tokens.keys()].map((content) => content.length))
    this.#lengths = [...lengths].sort((a, b) => b - a)
  }

  split(text: string): Section[] {
    const sections: Section[] = []
    let done = 0
    for (let at = 0; at < text.length; at++) {
      const content = this.#match(text, at)
      if (content === undefined) continue
      const token = this.#tokens.get(content) as AddedToken
      const end = at + content.length
      if (token.single_word !== true || isWord(text, at, end)) {
        const start = token.lstrip === true ? Math.max(spaceBefore(text, at), done) : at
        if (done < start) sections.push(text.slice(done, start))
        sections.push(token)
        done = token.rstrip === true ? spaceAfter(text, end) : end
      }
      at = end - 1
    }
    if (done < text.length) sections.push(text.slice(done))
    return sections
  }

  #match(text: string, at: number): string | undefined {
    if (!this.#firsts.has(text.charAt(at))) return undefined
    for (const length of this.#lengths) {
      const content = text.slice(at, at + length)
      if (this.#tokens.has(content)) return content
    }
    return undefined
  }
}

// The \w and \s of the Rust library.
const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u
const SPACE = /\p{White_Space}/u

function isWord(text: string, start: number, end: number): boolean {
  return (
    !WORD_BEFORE.test(text.slice(Math.max(start - 2, 0), start)) &&
    !WORD_AFTER.test(text.slice(end, end + 2))
  )
}

function spaceBefore(text: string, end: number): number {
  let start = end
  while (start > 0 && SPACE.test(text.charAt(start - 1))) start--
  return start
}

function spaceAfter(text: string, start: number): number {
  let end = start
  while (end < text.length && SPACE.test(text.charAt(end))) end++
  return end
}
