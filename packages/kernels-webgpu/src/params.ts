/** @file The uniforms of a batch of dispatches: one buffer, of which each dispatch sees a part. */

import type { Param } from './kernel.ts'
import { PARAMS_SIZE } from './pipelines.ts'

const PARAMS_WORDS = PARAMS_SIZE / 4

/** Params of the dispatches of one batch, in the form of the buffer that they are copied to. */
export class ParamsBlock {
  #words: Uint32Array<ArrayBuffer> = new Uint32Array(64 * PARAMS_WORDS)
  #floats: Float32Array = new Float32Array(this.#words.buffer)
  #used = 0

  /** What is to be copied: whole words. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#words.buffer, 0, 4 * this.#used)
  }

  /** Adds the struct of one dispatch and gives its offset in bytes. */
  add(params: readonly Param[]): number {
    const first = this.#used
    this.#used += PARAMS_WORDS
    if (this.#used > this.#words.length) this.#grow()
    for (let i = 0; i < params.length; i++) {
      const param = params[i] as Param
      if (typeof param === 'number') this.#words[first + i] = param
      else this.#floats[first + i] = param.f32
    }
    return 4 * first
  }

  /** Forgets all, to be used for another batch. */
  reset(): void {
    this.#used = 0
  }

  #grow(): void {
    const bigger = new Uint32Array(2 * this.#words.length)
    bigger.set(this.#words)
    this.#words = bigger
    this.#floats = new Float32Array(bigger.buffer)
  }
}
