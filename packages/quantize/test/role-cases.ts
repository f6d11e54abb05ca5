/** @file Tensors of model families, by the names that transformers writes, and what each is. */

import type { TensorRole } from '../src/index.ts'

/** A tensor, and what it is. */
export type Case = readonly [name: string, shape: readonly number[], role: TensorRole]

/** The hidden size of all cases. */
export const H = 64
export const SQUARE: readonly number[] = [H, H]
export const DECODER: readonly Case[] = [
  ['model.embed_tokens.weight', [256, H], 'embedding'],
  ['lm_head.weight', [256, H], 'output head'],
  ['model.layers.0.self_attn.q_proj.weight', SQUARE, 'linear'],
  ['model.layers.0.self_attn.o_proj.weight', SQUARE, 'linear'],
  ['model.layers.0.mlp.gate_proj.weight', [128, H], 'linear'],
  ['model.layers.0.mlp.down_proj.weight', [H, 128], 'linear'],
  ['model.layers.0.input_layernorm.weight', [H], 'norm'],
  ['model.norm.weight', [H], 'norm'],
]
export const EACH_EXPERT: readonly Case[] = [
  ['model.layers.0.mlp.gate.weight', [8, H], 'router'],
  ['model.layers.0.mlp.experts.0.gate_proj.weight', [32, H], 'linear'],
  ['model.layers.0.mlp.experts.7.down_proj.weight', [H, 32], 'linear'],
]
export const CONV1D: readonly Case[] = [
  ['transformer.wte.weight', [256, H], 'embedding'],
  ['transformer.wpe.weight', [H, H], 'embedding'],
  ['transformer.h.0.attn.c_attn.weight', [H, 3 * H], 'transposed linear'],
  ['transformer.h.0.attn.c_proj.weight', SQUARE, 'transposed linear'],
  ['h.0.mlp.c_fc.weight', [H, 4 * H], 'transposed linear'],
  ['h.0.mlp.c_proj.weight', [4 * H, H], 'transposed linear'],
  ['h.0.ln_1.weight', [H], 'norm'],
  ['lm_head.weight', [256, H], 'output head'],
]
export const T5: readonly Case[] = [
  ['shared.weight', [100, H], 'embedding'],
  ['encoder.block.0.layer.0.SelfAttention.q.weight', SQUARE, 'linear'],
  ['encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight', [32, 8], 'embedding'],
  ['decoder.block.0.layer.1.EncDecAttention.o.weight', SQUARE, 'linear'],
  ['decoder.block.0.layer.2.DenseReluDense.wi_0.weight', [128, H], 'linear'],
  ['encoder.block.0.layer.0.layer_norm.weight', [H], 'norm'],
]
export const BERT: readonly Case[] = [
  ['embeddings.word_embeddings.weight', [256, H], 'embedding'],
  ['bert.embeddings.token_type_embeddings.weight', [2, H], 'embedding'],
  ['bert.embeddings.position_embeddings.weight', SQUARE, 'embedding'],
  ['bert.encoder.layer.0.attention.self.query.weight', SQUARE, 'linear'],
  ['bert.encoder.layer.0.attention.self.distance_embedding.weight', [127, 16], 'embedding'],
  ['bert.encoder.layer.0.attention.output.dense.weight', SQUARE, 'linear'],
  ['bert.encoder.layer.0.output.LayerNorm.weight', [H], 'norm'],
  ['bert.pooler.dense.weight', SQUARE, 'linear'],
  ['cls.predictions.decoder.weight', [256, H], 'output head'],
  ['cls.predictions.transform.dense.weight', SQUARE, 'linear'],
  ['classifier.weight', [2, H], 'output head'],
]

/** Tensors of a family, by names that transformers writes. */
export const FAMILIES: Readonly<Record<string, readonly Case[]>> = {
  ...Object.fromEntries(
    [
      'llama',
      'mistral',
      'gemma2',
      'gemma3_text',
      'qwen2',
      'qwen3',
      'granite',
      'olmo2',
      'smollm3',
    ].map((family) => [family, DECODER]),
  ),
  qwen3_moe: [...DECODER, ...EACH_EXPERT],
  qwen2_moe: [
    ...EACH_EXPERT,
    ['model.layers.0.mlp.shared_expert_gate.weight', [1, H], 'router'],
    ['model.layers.0.mlp.shared_expert.up_proj.weight', [128, H], 'linear'],
    ['model.layers.0.mlp.experts.gate_up_proj', [8, 256, H], 'experts'],
    ['model.layers.0.mlp.experts.down_proj', [8, H, 128], 'experts'],
  ],
  mixtral: [
    ['model.layers.0.block_sparse_moe.gate.weight', [4, H], 'router'],
    ['model.layers.0.block_sparse_moe.experts.0.w1.weight', [128, H], 'linear'],
    ['model.layers.0.block_sparse_moe.experts.0.w2.weight', [H, 128], 'linear'],
    ['model.layers.0.mlp.experts.gate_up_proj', [4, 256, H], 'experts'],
  ],
  deepseek_v3: [
    ...EACH_EXPERT,
    ['model.layers.3.self_attn.q_a_proj.weight', [32, H], 'linear'],
    ['model.layers.3.self_attn.kv_a_proj_with_mqa.weight', [40, H], 'linear'],
    ['model.layers.61.shared_head.head.weight', [256, H], 'output head'],
    ['model.layers.61.eh_proj.weight', [H, 2 * H], 'linear'],
    ['model.layers.61.embed_tokens.weight', [256, H], 'embedding'],
  ],
  gpt_oss: [
    ['model.layers.0.mlp.router.weight', [4, H], 'router'],
    ['model.layers.0.mlp.experts.gate_up_proj', [4, H, 256], 'transposed experts'],
    ['model.layers.0.mlp.experts.down_proj', [4, 128, H], 'transposed experts'],
    // Both sides alike: the family says which.
    ['model.layers.1.mlp.experts.down_proj', [4, H, H], 'transposed experts'],
    ['model.layers.0.mlp.experts.gate_up_proj_bias', [4, 256], 'other'],
    ['model.layers.0.self_attn.sinks', [4], 'other'],
  ],
  llama4_text: [
    ['model.layers.0.feed_forward.router.weight', [4, H], 'router'],
    ['model.layers.0.feed_forward.experts.gate_up_proj', [4, H, 256], 'transposed experts'],
    ['model.layers.0.feed_forward.shared_expert.up_proj.weight', [128, H], 'linear'],
  ],
  granitemoe: [
    ['model.layers.0.block_sparse_moe.router.layer.weight', [4, H], 'router'],
    ['model.layers.0.block_sparse_moe.input_linear.weight', [4, 256, H], 'experts'],
    ['model.layers.0.block_sparse_moe.output_linear.weight', [4, H, 128], 'experts'],
  ],
  dbrx: [
    ['transformer.blocks.0.ffn.router.layer.weight', [4, H], 'router'],
    ['transformer.blocks.0.ffn.experts.mlp.w1', [4 * 128, H], 'part of a module'],
    ['transformer.blocks.0.norm_attn_norm.attn.Wqkv.weight', [96, H], 'linear'],
  ],
  gemma3n_text: [
    ['model.embed_tokens_per_layer.weight', [256, 512], 'embedding'],
    ['model.per_layer_model_projection.weight', [512, H], 'linear'],
    ['model.layers.0.altup.modality_router.weight', [4, H], 'router'],
  ],
  phi3: [['model.layers.0.mlp.gate_up_proj.weight', [256, H], 'linear']],
  lfm2: [
    ['model.embedding_norm.weight', [H], 'norm'],
    ['model.layers.0.conv.conv.weight', [H, 1, 3], 'convolution'],
    ['model.layers.0.conv.in_proj.weight', [192, H], 'linear'],
    ['model.layers.0.feed_forward.w2.weight', [H, 96], 'linear'],
  ],
  gpt2: CONV1D,
  imagegpt: CONV1D,
  decision_transformer: [
    ['encoder.h.0.attn.c_attn.weight', [H, 3 * H], 'transposed linear'],
    ['embed_timestep.weight', [100, H], 'embedding'],
    ['embed_state.weight', [H, 17], 'linear'],
  ],
  gpt_neo: [
    ['transformer.h.0.mlp.c_fc.weight', [4 * H, H], 'linear'],
    ['transformer.h.0.mlp.c_proj.weight', [H, 4 * H], 'linear'],
    ['transformer.h.0.attn.attention.out_proj.weight', SQUARE, 'linear'],
  ],
  gpt_bigcode: [
    ['transformer.h.0.attn.c_attn.weight', [H + 32, H], 'linear'],
    ['transformer.h.0.attn.c_proj.weight', SQUARE, 'linear'],
  ],
  gpt_neox: [
    ['gpt_neox.embed_in.weight', [256, H], 'embedding'],
    ['embed_out.weight', [256, H], 'output head'],
    ['gpt_neox.layers.0.attention.query_key_value.weight', [192, H], 'linear'],
  ],
  bloom: [
    ['word_embeddings.weight', [256, H], 'embedding'],
    ['word_embeddings_layernorm.weight', [H], 'norm'],
    ['h.0.mlp.dense_h_to_4h.weight', [256, H], 'linear'],
  ],
  chatglm: [
    ['transformer.embedding.word_embeddings.weight', [256, H], 'embedding'],
    ['transformer.output_layer.weight', [256, H], 'output head'],
    ['transformer.encoder.layers.0.self_attention.dense.weight', SQUARE, 'linear'],
  ],
  internlm2: [
    ['model.tok_embeddings.weight', [256, H], 'embedding'],
    ['output.weight', [256, H], 'output head'],
    ['model.layers.0.attention.wqkv.weight', [96, H], 'linear'],
  ],
  opt: [
    ['model.decoder.embed_positions.weight', [130, H], 'embedding'],
    ['model.decoder.layers.0.fc1.weight', [256, H], 'linear'],
  ],
  t5: T5,
  mt5: T5,
  umt5: T5,
  switch_transformers: [
    ['encoder.block.1.layer.1.mlp.router.classifier.weight', [8, H], 'router'],
    ['encoder.block.1.layer.1.mlp.experts.expert_0.wi.weight', [128, H], 'linear'],
  ],
  whisper: [
    ['proj_out.weight', [256, H], 'output head'],
    ['model.decoder.embed_positions.weight', [448, H], 'embedding'],
    ['model.encoder.conv1.weight', [H, 80, 3], 'convolution'],
    ['model.encoder.layers.0.self_attn.k_proj.weight', SQUARE, 'linear'],
    ['model.encoder.layers.0.fc1.weight', [256, H], 'linear'],
  ],
  bart: [
    ['model.shared.weight', [256, H], 'embedding'],
    ['model.encoder.embed_positions.weight', [66, H], 'embedding'],
    ['model.decoder.layers.0.encoder_attn.out_proj.weight', SQUARE, 'linear'],
  ],
  bert: BERT,
  'xlm-roberta': [
    ['lm_head.decoder.weight', [256, H], 'output head'],
    ['lm_head.dense.weight', SQUARE, 'linear'],
    ['classifier.out_proj.weight', [2, H], 'output head'],
  ],
  distilbert: [
    ['distilbert.transformer.layer.0.attention.q_lin.weight', SQUARE, 'linear'],
    ['distilbert.transformer.layer.0.ffn.lin1.weight', [128, H], 'linear'],
    ['vocab_projector.weight', [256, H], 'output head'],
    ['vocab_transform.weight', SQUARE, 'linear'],
  ],
  'deberta-v2': [
    ['deberta.encoder.rel_embeddings.weight', [512, H], 'embedding'],
    ['deberta.encoder.layer.0.attention.self.query_proj.weight', SQUARE, 'linear'],
    ['deberta.encoder.conv.conv.weight', [H, H, 3], 'convolution'],
  ],
  canine: [['char_embeddings.HashBucketCodeEmbedder_3.weight', [100, 8], 'embedding']],
  clip: [
    ['text_model.embeddings.token_embedding.weight', [256, H], 'embedding'],
    ['vision_model.embeddings.position_embedding.weight', [50, H], 'embedding'],
    ['vision_model.embeddings.patch_embedding.weight', [H, 3, 8, 8], 'convolution'],
    ['vision_model.pre_layrnorm.weight', [H], 'norm'],
    ['visual_projection.weight', [32, H], 'linear'],
  ],
  siglip_vision_model: [
    ['vision_model.head.attention.out_proj.weight', SQUARE, 'part of a module'],
    ['vision_model.encoder.layers.0.self_attn.out_proj.weight', SQUARE, 'linear'],
  ],
  siglip2: [['vision_model.embeddings.patch_embedding.weight', [H, 192], 'linear']],
  speecht5: [
    ['speecht5.decoder.prenet.speaker_embeds_layer.weight', [H, 576], 'linear'],
    ['speecht5.encoder.wrapped_encoder.embed_positions.pe_k.weight', [320, 16], 'embedding'],
  ],
  vits: [['embed_speaker.weight', [109, H], 'embedding']],
  parler_tts: [
    ['decoder.model.decoder.embed_tokens.8.weight', [256, H], 'embedding'],
    ['decoder.lm_heads.8.weight', [256, H], 'output head'],
  ],
  wavlm: [
    ['encoder.layers.0.attention.rel_attn_embed.weight', [320, 16], 'embedding'],
    ['encoder.layers.0.attention.gru_rel_pos_linear.weight', [8, 64], 'linear'],
    ['encoder.pos_conv_embed.conv.weight_v', [H, 4, 128], 'other'],
  ],
  mamba: [
    ['backbone.embeddings.weight', [256, H], 'embedding'],
    ['backbone.layers.0.mixer.conv1d.weight', [128, 1, 4], 'convolution'],
    ['backbone.layers.0.mixer.x_proj.weight', [36, 128], 'linear'],
    ['backbone.layers.0.mixer.A_log', [128, 16], 'other'],
  ],
  rwkv: [
    ['head.weight', [256, H], 'output head'],
    ['rwkv.blocks.0.attention.key.weight', SQUARE, 'linear'],
  ],
}
