/** @file LlamaConfig: what config.json says of a model's shape. */

import type { FloatDType } from '@ao/base-tensor'
import { type RopeConfig } from '@ao/text-generation'

/** A Llama model's shape, from the config.json of Hugging Face transformers. */
export interface LlamaConfig {
  /** Tokens that there are. */
  readonly vocabSize: number
  /** Width of the residual stream. */
  readonly hiddenSize: number
  /** Width within the MLP. */
  readonly intermediateSize: number
  /** Decoder layers. */
  readonly numLayers: number
  /** Query heads of a layer. */
  readonly numHeads: number
  /** Divides `numHeads`: each key and value head serves `numHeads / numKeyValueHeads` query heads. */
  readonly numKeyValueHeads: number
  /** Elements of a head. */
  readonly headDim: number
  /** The activation of the gate in the MLP. */
  readonly hiddenAct: 'silu' | 'gelu'
  /** What norms add to the mean square. */
  readonly rmsNormEps: number
  /** The longest sequence, prompt and generated tokens together. */
  readonly maxPositions: number
  /** How positions turn queries and keys. */
  readonly rope: RopeConfig
  /** Whether the output head is the embedding's own tensor. */
  readonly tieWordEmbeddings: boolean
  /** Whether q_proj, k_proj, v_proj and o_proj have biases. */
  readonly attentionBias: boolean
  /** Whether gate_proj, up_proj and down_proj have biases. */
  readonly mlpBias: boolean
  /** The dtype that the weights were saved in, where the file tells. */
  readonly dtype: FloatDType | undefined
  /** Tokens that end a text. */
  readonly eosTokenIds: readonly number[]
}
