/** @file What a model remembers of the tokens that it has read. */

import {
  cpu,
  zeros,
  ValueError,
  type DenseTensor,
  type Device,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import type { DecoderShape } from './decoder-shape.ts'
import type { CountedPosition } from './ops/position.ts'

/** How a {@link KVCache} is made; dtype and device must be those of the model. */
export interface KVCacheOptions {
  /** float32 unless given. */
  readonly dtype?: FloatDType
  /** The CPU unless given. */
  readonly device?: Device
  /** Tokens to make room for at first: 256 unless given. */
  readonly capacity?: number
}

/** One layer's keys and values. */
export interface CachedLayer {
  /** (capacity, numKeyValueHeads, headDim), of which the first `length` tokens of the cache are filled */
  readonly keys: Tensor
  /** As `keys`. */
  readonly values: Tensor
}

interface LayerStorage {
  readonly keys: DenseTensor // (capacity, numKeyValueHeads, headDim)
  readonly values: DenseTensor // as keys
}

/**
 * Keys and values of every layer, for the tokens so far. It grows by doubling, up to the longest
 * sequence that the model takes.
 */
export class KVCache {
  readonly #maxPositions: number
  #layers: readonly LayerStorage[]
  /** Tokens that it holds. */
  readonly #counter = { value: 0 }

  constructor(config: DecoderShape, options: KVCacheOptions = {}) {
    const { dtype = 'float32', device = cpu, capacity = 256 } = options
    const tokens = Math.min(Math.max(capacity, 1), config.maxPositions)
    const shape = [tokens, config.numKeyValueHeads, config.headDim]
    this.#maxPositions = config.maxPositions
    this.#layers = Array.from({ length: config.numLayers }, () => ({
      keys: zeros(shape, dtype, device),
      values: zeros(shape, dtype, device),
    }))
  }

  /** Tokens that it holds. */
  get length(): number {
    return this.#counter.value
  }

  /** Its length, and so many more: counted anew when a recorded step is replayed. */
  position(plus: number): CountedPosition {
    return { counter: this.#counter, plus }
  }

  /** Tokens that it has room for without growing. */
  get capacity(): number {
    return this.#layers[0]?.keys.shape[0] ?? 0
  }

  /**
   * Makes room for `tokens` more.
   *
   * @throws {@link ValueError} beyond the model's `max_position_embeddings`
   */
  reserve(tokens: number): void {
    const needed = this.#counter.value + tokens
    if (needed > this.#maxPositions) {
      throw new ValueError({
        package: '@ao/text-generation',
        expected: `at most ${this.#maxPositions} tokens, the model's max_position_embeddings`,
        got: `${needed}`,
        cure: 'Shorten the prompt, generate fewer tokens, or start a new cache.',
      })
    }
    if (needed <= this.capacity) return
    this.#grow(Math.min(Math.max(needed, 2 * this.capacity), this.#maxPositions))
  }

  /**
   * The keys and values of one layer, for its attention to write those of new tokens into.
   *
   * @throws {@link ValueError} for a layer that the cache has not
   */
  layer(index: number): CachedLayer {
    const cached = this.#layers[index]
    if (cached) return cached
    throw new ValueError({
      package: '@ao/text-generation',
      expected: 'a cache with keys and values for every layer of the model',
      got: `one of ${this.#layers.length} layers`,
      cure: 'Make it with model.createCache(), and do not use it after dispose().',
    })
  }

  /** Counts `tokens` as read, once all layers have written them. */
  advance(tokens: number): void {
    this.#counter.value += tokens
  }

  /** Forgets all tokens but the first `length`, so that another text can go on from there. */
  truncate(length: number): void {
    this.#counter.value = Math.min(this.#counter.value, length)
  }

  /** Gives the storage back now. The cache must not be used any more. */
  dispose(): void {
    for (const { keys, values } of this.#layers) {
      for (const { device, storage } of [keys, values]) device.free(storage)
    }
    this.#layers = []
  }

  #grow(capacity: number): void {
    const bigger = (old: DenseTensor): DenseTensor => {
      const tensor = zeros(old.shape.with(0, capacity), old.dtype, old.device)
      tensor.narrow(0, 0, this.#counter.value).copy_(old.narrow(0, 0, this.#counter.value))
      old.device.free(old.storage)
      return tensor
    }
    this.#layers = this.#layers.map(({ keys, values }) => ({
      keys: bigger(keys),
      values: bigger(values),
    }))
  }
}
