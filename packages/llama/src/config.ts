/** @file Reads a Llama's config.json and generation_config.json. */

import { isFloatDType, type DType, type FloatDType, takes } from '@ao/base-tensor'
import {
  ConfigFields,
  MAX_POSITIONS,
  checkUnreadFields,
  parseRopeConfig,
  reportUnusedFields,
  type ConfigOptions,
} from '@ao/text-generation'
import type { LlamaConfig } from './llama-config.ts'
import { GENERATION_FIELDS, LLAMA_FIELDS } from './llama-fields.ts'

export type { LlamaConfig } from './llama-config.ts'

// Twice the largest of real models at least, and no more: so a forged file cannot ask for more than there is.
/** Llama 3.1 405B has 126. */
const MAX_LAYERS = 1024
/** XLM-V has 901,629 tokens. */
const MAX_VOCABULARY = 2 ** 21
/** Llama 3.1 405B has 16,384. */
const MAX_HIDDEN = 2 ** 16
/** Llama 3.1 405B has 53,248. */
const MAX_INTERMEDIATE = 2 ** 19
const MAX_HEADS = 2 ** 12
/** Gemma has 512. */
const MAX_HEAD_DIM = 2 ** 12

/**
 * The model's shape from a parsed config.json, of transformers 4 or 5. Fields that are absent have the
 * defaults of transformers' `LlamaConfig`.
 *
 * @param where - what messages call the file
 * @throws {@link FormatError} naming the file and the field that is wrong or not supported, or not known
 * while it may change what the model computes
 */
export function parseLlamaConfig(
  json: unknown,
  where = 'config.json',
  options: ConfigOptions = {},
): LlamaConfig {
  takes('.x?o{unknownFields onIgnored}?', json, where, options)
  const fields = new ConfigFields(json, where)
  fields.choice('model_type', ['llama'], undefined)
  const hiddenSize = fields.size('hidden_size', 4096, MAX_HIDDEN)
  const config = Object.freeze<LlamaConfig>({
    vocabSize: fields.size('vocab_size', 32000, MAX_VOCABULARY),
    hiddenSize,
    intermediateSize: fields.size('intermediate_size', 11008, MAX_INTERMEDIATE),
    numLayers: fields.size('num_hidden_layers', 32, MAX_LAYERS),
    ...parseHeads(fields, hiddenSize),
    hiddenAct: parseActivation(fields),
    rmsNormEps: fields.number('rms_norm_eps', 1e-6, 1e-30, 1),
    maxPositions: fields.size('max_position_embeddings', 2048, MAX_POSITIONS),
    rope: parseRopeConfig(fields),
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', false),
    attentionBias: fields.boolean('attention_bias', false),
    mlpBias: fields.boolean('mlp_bias', false),
    dtype: parseDType(fields),
    eosTokenIds: fields.ids('eos_token_id', [2]),
  })
  checkUnreadFields(fields, LLAMA_FIELDS, config, options)
  return config
}

/**
 * The tokens that end a text, from a parsed generation_config.json. As in transformers, they take the place
 * of those in config.json; a file that names none leaves them.
 *
 * @throws {@link FormatError} for anything but token ids
 */
export function parseStopIds(
  json: unknown,
  where: string,
  { eosTokenIds }: LlamaConfig,
  { onIgnored }: ConfigOptions,
): readonly number[] {
  const fields = new ConfigFields(json, where)
  const ids = fields.ids('eos_token_id', eosTokenIds)
  reportUnusedFields(fields, GENERATION_FIELDS, onIgnored)
  return ids.length > 0 ? ids : eosTokenIds
}

function parseHeads(
  fields: ConfigFields,
  hiddenSize: number,
): Pick<LlamaConfig, 'numHeads' | 'numKeyValueHeads' | 'headDim'> {
  const numHeads = fields.size('num_attention_heads', 32, MAX_HEADS)
  const numKeyValueHeads = fields.size('num_key_value_heads', numHeads, MAX_HEADS)
  if (numHeads % numKeyValueHeads !== 0) {
    fields.reject('num_key_value_heads', `a divisor of num_attention_heads, ${numHeads}`)
  }
  const headDim = fields.get('head_dim') === undefined ? hiddenSize / numHeads : undefined
  if (headDim !== undefined && !Number.isInteger(headDim)) {
    fields.reject('num_attention_heads', `a divisor of hidden_size, ${hiddenSize}`)
  }
  const checked = fields.size('head_dim', headDim, MAX_HEAD_DIM)
  if (checked % 2 !== 0) fields.reject('head_dim', 'even: rotations act on pairs')
  return { numHeads, numKeyValueHeads, headDim: checked }
}

/** `swish` is another name of transformers for `silu`. */
function parseActivation(fields: ConfigFields): LlamaConfig['hiddenAct'] {
  const name = fields.choice('hidden_act', ['silu', 'gelu', 'swish'], 'silu')
  return name === 'swish' ? 'silu' : name
}

function parseDType(fields: ConfigFields): FloatDType | undefined {
  const old = fields.get('torch_dtype')
  const dtype = fields.get('dtype') ?? old
  if (dtype === undefined || isFloatDType(dtype as DType)) return dtype as FloatDType | undefined
  const name = dtype === old ? 'torch_dtype' : 'dtype'
  return fields.reject(name, 'float32, float16 or bfloat16')
}
