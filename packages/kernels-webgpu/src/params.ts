/** @file The uniforms of a batch of dispatches: one buffer, of which each dispatch sees a part. */

import { PARAMS_SIZE } from './bindings-layout.ts'
import type { Counted, Param } from './dispatch-args.ts'

const PARAMS_WORDS = PARAMS_SIZE / 4

/** A word that is to be counted anew whenever its block is added to another. */
interface CountedWord {
  readonly at: number
  readonly value: Counted
}

/** Params of the dispatches of one batch, in the form of the buffer that they are copied to. */
export class ParamsBlock {
  #words: Uint32Array<ArrayBuffer> = new Uint32Array(64 * PARAMS_WORDS)
  #floats: Float32Array = new Float32Array(this.#words.buffer)
  #used = 0
  #counted: CountedWord[] = []

  /** What is to be copied: whole words. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#words.buffer, 0, 4 * this.#used)
  }

  /** How many dispatches have their params here. */
  get length(): number {
    return this.#used / PARAMS_WORDS
  }

  /** Adds the struct of one dispatch and gives its offset in bytes. */
  add(params: readonly Param[]): number {
    const first = this.#reserve(PARAMS_WORDS)
    for (let i = 0; i < params.length; i++) {
      const param = params[i] as Param
      if (typeof param === 'number') this.#words[first + i] = param
      else if ('f32' in param) this.#floats[first + i] = param.f32
      else this.#count({ at: first + i, value: param })
    }
    return 4 * first
  }

  /** Adds all of `other`, with counters as they stand now, and gives its offset in bytes. */
  addAll(other: ParamsBlock): number {
    const first = this.#reserve(other.#used)
    this.#words.set(other.#words.subarray(0, other.#used), first)
    for (const { at, value } of other.#counted) this.#count({ at: first + at, value })
    return 4 * first
  }

  /** Takes what was added from dispatch `from` on out into a block of its own. */
  copyFrom(from: number): ParamsBlock {
    const first = from * PARAMS_WORDS
    const copy = new ParamsBlock()
    copy.#reserve(this.#used - first)
    copy.#words.set(this.#words.subarray(first, this.#used))
    for (const { at, value } of this.#counted) {
      if (at >= first) copy.#counted.push({ at: at - first, value })
    }
    return copy
  }

  /** Forgets all, to be used for another batch. */
  reset(): void {
    this.#used = 0
    this.#counted = []
  }

  #count(word: CountedWord): void {
    const { counter, plus } = word.value
    this.#words[word.at] = counter.value + plus
    this.#counted.push(word)
  }

  #reserve(words: number): number {
    const first = this.#used
    this.#used += words
    if (this.#used > this.#words.length) this.#grow()
    return first
  }

  #grow(): void {
    const bigger = new Uint32Array(Math.max(2 * this.#words.length, this.#used))
    bigger.set(this.#words)
    this.#words = bigger
    this.#floats = new Float32Array(bigger.buffer)
  }
}
