/** @file LlamaForCausalLM: the family of Llama alone. */

import { takes } from '@ao/base-tensor'
import {
  CausalLM,
  llama,
  readConfig,
  type Attention,
  type CausalLMOptions,
  type Decoder,
  type DecoderLayer,
  type GatedMLP,
} from '@ao/causal-lm'
import type { Embedding, Linear, RMSNorm } from '@ao/nn'
import type { CheckpointFolder } from '@ao/safetensors'
import type { LoadOptions } from '@ao/text-generation'
import type { LlamaConfig } from './llama-config.ts'

/** Self-attention with grouped query heads and rotary positions. */
export interface LlamaAttention extends Attention {
  q_proj: Linear
  k_proj: Linear
  v_proj: Linear
  o_proj: Linear
}

/** The gated MLP: `down(act(gate(x)) * up(x))`. */
export interface LlamaMLP extends GatedMLP {
  gate_proj: Linear
  up_proj: Linear
  down_proj: Linear
}

/** Attention and MLP, each behind a norm and added to its input. */
export interface LlamaDecoderLayer extends DecoderLayer {
  self_attn: LlamaAttention
  mlp: LlamaMLP
  input_layernorm: RMSNorm
  post_attention_layernorm: RMSNorm
}

/** The decoder without its output head: tokens to hidden states. */
export interface LlamaModel extends Decoder {
  embed_tokens: Embedding
  layers: LlamaDecoderLayer[]
  norm: RMSNorm
}

/** A Llama decoder that predicts the next token. */
export class LlamaForCausalLM extends CausalLM {
  declare model: LlamaModel

  /**
   * A model without trained weights. By default its parameters are on the `meta` device: they have
   * shapes only, which is what planning a quantized file needs.
   */
  constructor(config: LlamaConfig, options: CausalLMOptions = {}) {
    takes('o<vocabSize:n hiddenSize:n intermediateSize:n>o{dtype device}?', config, options)
    super(config, llama, options)
  }

  /**
   * Loads a model in Hugging Face layout: config.json and safetensors weights, in one file or in
   * shards, which are read tensor by tensor.
   *
   * Checkpoints that torchao quantized are opened as they are: pass their formats, such as
   * `formats: [Int8Tensor]`. The ids that end a text are those of generation_config.json, where it names
   * any, else those of config.json.
   *
   * @throws {@link FormatError} naming the file and the field or tensor that is wrong, missing, of a format
   * that was not passed, or of no use to the model; the signal's reason when it is aborted
   */
  static async fromPretrained(
    folder: CheckpointFolder,
    options: LoadOptions = {},
  ): Promise<LlamaForCausalLM> {
    takes(
      '.o{dtype device formats fileKinds onProgress onIgnored signal unknownFields unexpectedTensors}?',
      folder,
      options,
    )
    const { config } = await readConfig(folder, [llama], options)
    const model = new LlamaForCausalLM(config)
    await model.load(folder, options)
    return model
  }
}
