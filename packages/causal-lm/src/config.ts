/** @file CausalLMConfig: what config.json says of a model, whatever its family. */

import type { FloatDType } from '@ao/base-tensor'
import type { DecoderShape, GateActivation, RopeConfig } from '@ao/text-generation'

/** A decoder's shape and arithmetic, from the config.json of Hugging Face transformers. */
export interface CausalLMConfig extends DecoderShape {
  /** Width of the residual stream. */
  readonly hiddenSize: number
  /** Width within the MLP. */
  readonly intermediateSize: number
  /** Query heads of a layer; `numKeyValueHeads` divides it: each serves as many query heads. */
  readonly numHeads: number
  /** The activation of the gate in the MLP. */
  readonly hiddenAct: GateActivation
  /** What norms add to the mean square. */
  readonly rmsNormEps: number
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

  // What some families have; absent fields are as in Llama.

  /** Whether q_proj, k_proj and v_proj have biases, whatever o_proj has. */
  readonly qkvBias?: boolean
  /** Norms of queries and keys: of each head, or of all heads of a token together. */
  readonly qkNorm?: 'head' | 'whole'
  /** `weightOffset` of every norm. */
  readonly normOffset?: number
  /** Whether queries, keys and values are one Linear, and gate and up one other. */
  readonly isFused?: boolean
  /** How each layer turns queries and keys, where layers differ. */
  readonly layerRopes?: readonly RopeConfig[]
  /** Elements of a head that turn, the first ones; all unless given. */
  readonly rotaryDim?: number
  /** What scores are multiplied by; `1 / sqrt(headDim)` unless given. */
  readonly attentionScale?: number
  /** Scores become `softcap * tanh(score / softcap)`. */
  readonly attentionSoftcap?: number | undefined
  /** Whether each head has a score that takes part in the softmax and has no value. */
  readonly hasSinks?: boolean
  /** What embeddings are multiplied by. */
  readonly embeddingScale?: number
  /** Whether that number is rounded to the embeddings' dtype. */
  readonly roundsEmbeddingScale?: boolean
  /** What a branch is multiplied by before it is added. */
  readonly residualScale?: number
  /** What logits are multiplied by. */
  readonly logitScale?: number
  /** Logits become `softcap * tanh(logit / softcap)`. */
  readonly logitSoftcap?: number | undefined
  /** The experts of MLPs that have some. */
  readonly experts?: ExpertsConfig
}

/** The MLPs of which a router chooses some for each token. */
export interface ExpertsConfig {
  /** Experts of a layer. */
  readonly count: number
  /** Experts that a token goes to. */
  readonly perToken: number
  /** Width within an expert. */
  readonly intermediateSize: number
  /** Whether the weights of a token's experts are made to sum to 1. */
  readonly isNormalized: boolean
  /** Whether each layer has experts, or an MLP. */
  readonly isSparse?: readonly boolean[]
}
