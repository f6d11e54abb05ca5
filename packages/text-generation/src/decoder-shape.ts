/** @file DecoderShape: what generation needs to know of a model. */

/** What a layer keeps of each token. */
export interface LayerCacheShape {
  /** Heads of keys and values. */
  readonly numKeyValueHeads: number
  readonly headDim: number
  /**
   * How many tokens the layer sees, each itself included; all unless given. A cache may drop those before.
   * The layer's attention is told by its `slidingWindow`.
   */
  readonly slidingWindow?: number | undefined
  /** Whether the layer keeps one row of each token, in `keys`, and no `values`; false unless given. */
  readonly keysOnly?: boolean | undefined
}

/** The sizes of a decoder that predicts the next token, whatever its layers are. */
export interface DecoderShape {
  readonly vocabSize: number
  readonly numLayers: number
  /** Heads of keys and values, in each layer without a shape of its own. */
  readonly numKeyValueHeads: number
  /** As `numKeyValueHeads`. */
  readonly headDim: number
  /**
   * Where layers differ: the shape of each one's cache; null for a layer without one, such as one that reads
   * another's. One for each layer.
   */
  readonly layerCaches?: readonly (LayerCacheShape | null)[] | undefined
  /** Whether the cache keeps the tokens' ids, for a model that reads a text again when it grows. */
  readonly keepsIds?: boolean | undefined
  /** The longest sequence, prompt and generated tokens together. */
  readonly maxPositions: number
  /** Tokens that end a text. */
  readonly eosTokenIds: readonly number[]
}
