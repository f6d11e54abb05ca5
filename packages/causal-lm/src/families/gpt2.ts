/** @file GPT-2: learned positions, LayerNorm, one Linear for queries, keys and values, an MLP without a gate. */

import { cast, takes, type Tensor } from '@ao/base-tensor'
import { Embedding, geluTanh, LayerNorm, Module } from '@ao/nn'
import { MAX_POSITIONS, type ConfigFields } from '@ao/text-generation'
import { Attention } from '../attention.ts'
import type { CausalLMConfig } from '../config.ts'
import type { CausalLMFamily } from '../family.ts'
import { fieldNames } from '../fields.ts'
import { adopt, child, makeLinear, type MakeParameter } from '../module.ts'
import { addPositions } from '../ops/add-positions.ts'
import { parseDType } from '../shape.ts'

/** GPT-2 and DistilGPT-2. */
export const gpt2: CausalLMFamily = {
  modelTypes: ['gpt2'],
  architectures: ['GPT2LMHeadModel', 'GPT2Model'],
  parse,
  fields: {
    harmless:
      fieldNames(`summary_activation summary_first_dropout summary_proj_to_labels summary_type
      summary_use_proj n_ctx`),
    inactive: {
      scale_attn_weights: [true],
      scale_attn_by_inverse_layer_idx: [false],
      // Only the order of roundings.
      reorder_and_upcast_attn: [false, true],
      add_cross_attention: [false],
    },
  },
  names: { model: 'transformer', embedding: 'wte', layers: 'h', norm: 'ln_f' },
  norm: ({ hiddenSize, rmsNormEps }, make) =>
    new LayerNorm(make(hiddenSize), make(hiddenSize), rmsNormEps),
  branches: (config, _layer, make) => [
    {
      ...{ name: 'attn', before: 'ln_1' },
      module: new Attention(config, make, { qkv: 'c_attn', o: 'c_proj' }),
    },
    { name: 'mlp', module: new GPT2MLP(config, make), before: 'ln_2' },
  ],
  extras: ({ maxPositions, hiddenSize }, make) => ({
    wpe: new Embedding(make(maxPositions, hiddenSize)),
  }),
  embed: (embedded, model, cache) => {
    const { weight } = child<Embedding>(model, 'wpe')
    const table = weight.dtype === embedded.dtype ? weight : cast(weight, embedded.dtype)
    return addPositions(embedded, table, cache.position(0))
  },
  // Conv1D keeps its weights as (in, out).
  sources: (parameter) =>
    /\.c_(attn|proj|fc)\.weight$/.test(parameter)
      ? [{ keys: [[parameter]], isTransposed: true }]
      : [],
}

function parse(fields: ConfigFields): CausalLMConfig {
  const hiddenSize = fields.size('n_embd', 768, 2 ** 16)
  const numHeads = fields.size('n_head', 12, 2 ** 12)
  const headDim = hiddenSize / numHeads
  if (headDim % 2 !== 0) fields.reject('n_head', `a divisor of n_embd / 2, ${hiddenSize / 2}`)
  fields.choice('activation_function', ['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast'], 'gelu_new')
  return {
    vocabSize: fields.size('vocab_size', 50257, 2 ** 21),
    hiddenSize,
    intermediateSize: fields.size('n_inner', 4 * hiddenSize, 2 ** 19),
    numLayers: fields.size('n_layer', 12, 1024),
    ...{ numHeads, numKeyValueHeads: numHeads, headDim },
    hiddenAct: 'gelu_tanh',
    rmsNormEps: fields.number('layer_norm_epsilon', 1e-5, 1e-30, 1),
    maxPositions: fields.size('n_positions', 1024, MAX_POSITIONS),
    rope: { type: 'none' },
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', true),
    ...{ attentionBias: true, mlpBias: true, isFused: true },
    dtype: parseDType(fields),
    eosTokenIds: fields.ids('eos_token_id', [50256]),
  }
}

/** `c_proj(gelu(c_fc(x)))` */
class GPT2MLP extends Module {
  constructor({ hiddenSize, intermediateSize }: CausalLMConfig, make: MakeParameter) {
    super()
    adopt(this, {
      c_fc: makeLinear(make, intermediateSize, hiddenSize, true),
      c_proj: makeLinear(make, hiddenSize, intermediateSize, true),
    })
  }

  forward(x: Tensor): Tensor {
    takes('t', x)
    return child(this, 'c_proj').forward(geluTanh(child(this, 'c_fc').forward(x)))
  }
}
