/** @file LlamaConfig: what config.json says of a model's shape. */

import { isFloatDType, type DType, type FloatDType } from '@ao/base-tensor'
import { ConfigFields } from './config-fields.ts'
import { parseRopeConfig, type RopeConfig } from './rope-config.ts'

/** A Llama model's shape, from the config.json of Hugging Face transformers. */
export interface LlamaConfig {
  readonly vocabSize: number
  /** Width of the residual stream. */
  readonly hiddenSize: number
  /** Width within the MLP. */
  readonly intermediateSize: number
  readonly numLayers: number
  readonly numHeads: number
  /** Divides `numHeads`: each key and value head serves `numHeads / numKeyValueHeads` query heads. */
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly hiddenAct: 'silu' | 'gelu'
  readonly rmsNormEps: number
  /** The longest sequence, prompt and generated tokens together. */
  readonly maxPositions: number
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

// Keeps a forged file from asking for more modules than memory holds. Llama 3.1 405B has 126.
const MAX_LAYERS = 1024

/**
 * The model's shape from a parsed config.json, of transformers 4 or 5. Fields that are absent have the
 * defaults of transformers' `LlamaConfig`.
 *
 * @param where - what messages call the file
 * @throws {@link FormatError} naming the file and the field that is wrong or not supported
 */
export function parseLlamaConfig(json: unknown, where = 'config.json'): LlamaConfig {
  const fields = new ConfigFields(json, where)
  fields.choice('model_type', ['llama'], undefined)
  const hiddenSize = fields.size('hidden_size', 4096)
  return Object.freeze<LlamaConfig>({
    vocabSize: fields.size('vocab_size', 32000),
    hiddenSize,
    intermediateSize: fields.size('intermediate_size', 11008),
    numLayers: fields.size('num_hidden_layers', 32, MAX_LAYERS),
    ...parseHeads(fields, hiddenSize),
    hiddenAct: fields.choice('hidden_act', ['silu', 'gelu'], 'silu'),
    rmsNormEps: fields.positive('rms_norm_eps', 1e-6),
    maxPositions: fields.size('max_position_embeddings', 2048),
    rope: parseRopeConfig(fields),
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', false),
    attentionBias: fields.boolean('attention_bias', false),
    mlpBias: fields.boolean('mlp_bias', false),
    dtype: parseDType(fields),
    eosTokenIds: parseEosTokenIds(fields),
  })
}

function parseHeads(
  fields: ConfigFields,
  hiddenSize: number,
): Pick<LlamaConfig, 'numHeads' | 'numKeyValueHeads' | 'headDim'> {
  const numHeads = fields.size('num_attention_heads', 32)
  const numKeyValueHeads = fields.size('num_key_value_heads', numHeads)
  if (numHeads % numKeyValueHeads !== 0) {
    fields.reject('num_key_value_heads', `a divisor of num_attention_heads, ${numHeads}`)
  }
  const headDim = fields.get('head_dim') === undefined ? hiddenSize / numHeads : undefined
  if (headDim !== undefined && !Number.isInteger(headDim)) {
    fields.reject('num_attention_heads', `a divisor of hidden_size, ${hiddenSize}`)
  }
  const checked = fields.size('head_dim', headDim)
  if (checked % 2 !== 0) fields.reject('head_dim', 'even: rotations act on pairs')
  return { numHeads, numKeyValueHeads, headDim: checked }
}

function parseDType(fields: ConfigFields): FloatDType | undefined {
  const name = fields.get('dtype') === undefined ? 'torch_dtype' : 'dtype'
  const dtype = fields.get(name)
  if (dtype === undefined || isFloatDType(dtype as DType)) return dtype as FloatDType | undefined
  return fields.reject(name, 'float32, float16 or bfloat16')
}

function parseEosTokenIds(fields: ConfigFields): readonly number[] {
  const ids = fields.has('eos_token_id') ? [fields.get('eos_token_id') ?? []].flat() : [2]
  const isId = (id: unknown): id is number => Number.isSafeInteger(id) && (id as number) >= 0
  if (ids.every(isId)) return Object.freeze(ids)
  return fields.reject('eos_token_id', 'a token id or a list of them')
}
