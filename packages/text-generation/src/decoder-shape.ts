/** @file DecoderShape: what generation needs to know of a model. */

/** The sizes of a decoder that predicts the next token, whatever its layers are. */
export interface DecoderShape {
  readonly vocabSize: number
  readonly numLayers: number
  /** Heads of keys and values, in each layer. */
  readonly numKeyValueHeads: number
  readonly headDim: number
  /** The longest sequence, prompt and generated tokens together. */
  readonly maxPositions: number
  /** Tokens that end a text. */
  readonly eosTokenIds: readonly number[]
}
