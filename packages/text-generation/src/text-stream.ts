/** @file Decoding tokens one at a time without broken characters. */

import { takes } from '@ao/base-tensor'

/**
 * Turns tokens into pieces of text as they come. A token may end within a character (an emoji is four
 * bytes, often of several tokens): such an end is held back until the character is whole.
 *
 * The pieces join up to the text of all tokens.
 */
export class TextStream {
  readonly #decode: (ids: readonly number[]) => string
  // Tokens whose text is not certain yet, after `#context` tokens of the certain text before them:
  // decoders may treat the first token of a text in a way of its own.
  #ids: number[] = []
  #context = 0
  // Characters after the context's that are given out already.
  #emitted = 0

  /** @param decode - the text of token ids */
  constructor(decode: (ids: readonly number[]) => string) {
    takes('f', decode)
    this.#decode = decode
  }

  /** Takes a token and gives the text that became certain by it, which may be ''. */
  push(id: number): string {
    takes('n', id)
    this.#ids.push(id)
    const text = this.#text()
    const whole = text.replace(/\uFFFD+$/, '')
    const piece = whole.slice(this.#emitted)
    if (whole.length < text.length) {
      this.#emitted = Math.max(this.#emitted, whole.length)
    } else {
      this.#ids = this.#ids.slice(this.#context)
      this.#context = this.#ids.length
      this.#emitted = 0
    }
    return piece
  }

  /** Ends the text and gives what was held back: the replacement character for broken characters. */
  end(): string {
    const piece = this.#text().slice(this.#emitted)
    this.#ids = []
    this.#context = this.#emitted = 0
    return piece
  }

  #text(): string {
    const context = this.#decode(this.#ids.slice(0, this.#context))
    return this.#decode(this.#ids).slice(context.length)
  }
}
