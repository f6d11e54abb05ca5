/** @file What a model remembers of the tokens that it has read. */

import {
  cpu,
  zeros,
  ValueError,
  type DenseTensor,
  type Device,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import type { DecoderShape, LayerCacheShape } from './decoder-shape.ts'
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
  /** As `keys`; (0) in layers that have keys only. */
  readonly values: Tensor
  /** How many tokens the layer sees, as its model's {@link DecoderShape} says; all unless given. */
  readonly slidingWindow?: number | undefined
}

interface LayerStorage extends CachedLayer {
  readonly keys: DenseTensor // (capacity, numKeyValueHeads, headDim)
  readonly values: DenseTensor // as keys, or (0)
}

/**
 * Keys and values of every layer, for the tokens so far. It grows by doubling, up to the longest
 * sequence that the model takes.
 */
export class KVCache {
  readonly #maxPositions: number
  #layers: readonly (LayerStorage | undefined)[]
  #ids: DenseTensor | undefined
  #capacity: number
  /** Tokens that it holds. */
  readonly #counter = { value: 0 }
  /** What the rotations of its keys depend on besides their positions; its model sets it. */
  regime: string | undefined

  /** @throws {@link ValueError} unless `layerCaches`, where given, are as many as the layers */
  constructor(config: DecoderShape, options: KVCacheOptions = {}) {
    takes(
      'o<maxPositions:n numKeyValueHeads:n headDim:n numLayers:n>o{dtype device capacity}',
      config,
      options,
    )
    const { dtype = 'float32', device = cpu, capacity = 256 } = options
    this.#capacity = Math.min(Math.max(capacity, 1), config.maxPositions)
    this.#maxPositions = config.maxPositions
    this.#layers = layerShapes(config).map((layer) => {
      if (!layer) return undefined
      const shape = [this.#capacity, layer.numKeyValueHeads, layer.headDim]
      const slidingWindow = layer.slidingWindow
      return {
        keys: zeros(shape, dtype, device),
        values: zeros(layer.keysOnly ? [0] : shape, dtype, device),
        slidingWindow,
      }
    })
    if (config.keepsIds) this.#ids = zeros([this.#capacity], 'int32', device)
  }

  /** Tokens that it holds. */
  get length(): number {
    return this.#counter.value
  }

  /** Its length, and so many more: counted anew when a recorded step is replayed. */
  position(plus: number): CountedPosition {
    return { counter: this.#counter, plus }
  }

  /** int32 (capacity), of which the first `length` are ids of its tokens; where its model asks for them. */
  get ids(): Tensor | undefined {
    return this.#ids
  }

  /** Tokens that it has room for without growing. */
  get capacity(): number {
    return this.#capacity
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
      expected: `a cache with keys and values for ${index in this.#layers ? `layer ${index}` : 'every layer of the model'}`,
      got: `one of ${this.#layers.length} layers${index in this.#layers ? ', this one without' : ''}`,
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

  /**
   * Forgets all tokens, so that they can be read again: steps that were recorded before are stale.
   *
   * @returns a copy of their ids, int32 (length)
   */
  restart(): Tensor {
    const length = this.#counter.value
    const old = this.#ids
    if (!old) {
      throw new ValueError({
        package: '@ao/text-generation',
        expected: 'a cache that keeps ids',
        got: 'one that does not',
        cure: 'Make it of a model with keepsIds.',
      })
    }
    const ids = old.narrow(0, 0, length).clone()
    this.#ids = zeros(old.shape, 'int32', old.device)
    this.#ids.narrow(0, 0, length).copy_(ids)
    old.device.free(old.storage)
    this.truncate(0)
    return ids
  }

  /** Gives the storage back now. The cache must not be used any more. */
  dispose(): void {
    const kept = this.#layers.flatMap((layer) => (layer ? [layer.keys, layer.values] : []))
    for (const { device, storage } of kept.concat(this.#ids ?? [])) device.free(storage)
    this.#layers = []
    this.#ids = undefined
    this.#capacity = 0
  }

  #grow(capacity: number): void {
    const bigger = (old: DenseTensor): DenseTensor => {
      if (old.numel === 0) return old
      const tensor = zeros(old.shape.with(0, capacity), old.dtype, old.device)
      tensor.narrow(0, 0, this.#counter.value).copy_(old.narrow(0, 0, this.#counter.value))
      old.device.free(old.storage)
      return tensor
    }
    this.#layers = this.#layers.map(
      (layer) => layer && { ...layer, keys: bigger(layer.keys), values: bigger(layer.values) },
    )
    this.#ids &&= bigger(this.#ids)
    this.#capacity = capacity
  }
}

function layerShapes(config: DecoderShape): readonly (LayerCacheShape | null)[] {
  const { layerCaches, numLayers } = config
  if (!layerCaches) return new Array<LayerCacheShape>(numLayers).fill(config)
  if (layerCaches.length === numLayers) return layerCaches
  throw new ValueError({
    package: '@ao/text-generation',
    expected: `layerCaches for each of ${numLayers} layers, null for those without`,
    got: `${layerCaches.length}`,
  })
}
