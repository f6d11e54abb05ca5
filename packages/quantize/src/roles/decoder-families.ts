/** @file Tables of decoders: models that predict the next token. */

import { names, type FamilyRoles, type ModelFamily } from './model-family.ts'

/** Families of decoders. */
export function decoderFamilies(): ModelFamily[] {
  const conv1D = names(
    'attn\\.(c_attn|q_attn|c_proj) crossattention\\.(c_attn|q_attn|c_proj) mlp\\.(c_fc|c_proj)',
  )
  const ofGPT = gptRoles()
  const ofLlama = llamaRoles()
  return [
    // transformers' Conv1D, stored (in, out).
    {
      modelTypes: names('gpt2 imagegpt openai-gpt'),
      roles: { ...ofGPT, linear: [], 'transposed linear': conv1D },
    },
    {
      modelTypes: ['decision_transformer'],
      roles: {
        'transposed linear': conv1D,
        linear: names('embed_(return|state|action) predict_\\w+(\\.\\d+)?'),
        embedding: names('wte wpe embed_timestep'),
        norm: names('ln_\\w+ embed_ln'),
      },
    },
    {
      modelTypes: ['clvp'],
      roles: { 'transposed linear': names('mlp\\.(c_fc|c_proj)'), ...ofGPT },
    },
    // The same names as GPT-2's in part, stored (out, in).
    {
      modelTypes: names(`gpt_neo gpt_neox gpt_neox_japanese gptj gpt_bigcode codegen bloom falcon
        RefinedWeb RefinedWebModel RW mpt opt xglm biogpt chatglm persimmon`),
      roles: { ...ofGPT, linear: [...ofGPT.linear, ...conv1D] },
    },
    {
      modelTypes:
        names(`llama mistral ministral mistral3 gemma gemma2 gemma3 gemma3_text qwen2 qwen3
        qwen2_vl qwen2_vl_text qwen2_5_vl qwen2_5_vl_text qwen3_vl qwen3_vl_text llava llava_next phi
        phi3 phi3_v phi4mm granite olmo olmo2 olmo3 smollm3 cohere cohere2 stablelm starcoder2 lfm2
        helium glm glm4 nemotron exaone4 arcee seed_oss smolvlm idefics3 mllama mllama_text_model
        ernie4_5 apertus diffllama`),
      roles: ofLlama,
    },
    {
      modelTypes: names('gemma3n gemma3n_text'),
      roles: {
        ...ofLlama,
        embedding: names('embed_tokens embed_tokens_per_layer embed_(vision|audio)\\.embedding'),
        router: ['altup\\.modality_router'],
        linear: [
          ...ofLlama.linear,
          ...names(
            'per_layer_(model_projection|input_gate|projection) laurel\\.linear_(left|right)',
          ),
          ...names('altup_(unembed_)?projections\\.\\d+ embedding_projection'),
        ],
      },
    },
    {
      modelTypes: names('internlm internlm2 internlm3 internvl_chat'),
      roles: {
        embedding: names('tok_embeddings embed_tokens'),
        'output head': names('output lm_head'),
        norm: ['\\w*norm\\d?'],
        linear: [...ofLlama.linear, ...names('attention\\.(wqkv|wo)')],
      },
    },
    ...mixtures(ofLlama),
    {
      modelTypes: names('mamba mamba2 falcon_mamba codestral-mamba'),
      roles: {
        embedding: ['embeddings'],
        'output head': ['lm_head'],
        norm: ['norm(_f)?'],
        convolution: ['conv1d'],
        linear: ['mixer\\.(in|x|dt|out)_proj'],
      },
    },
    {
      modelTypes: names('rwkv rwkv5 rwkv6 rwkv7'),
      roles: {
        embedding: names('emb embeddings'),
        'output head': ['head'],
        norm: names('ln\\w* pre_ln'),
        linear: names(`(att|attention)\\.(key|value|receptance|gate|output)
          (ffn|feed_forward)\\.(key|value|receptance)`),
      },
    },
    {
      modelTypes: names('xlnet transfo-xl'),
      roles: {
        embedding: names('word_embedding emb_layers\\.\\d+'),
        'output head': ['lm_loss'],
        norm: ['layer_norm'],
        linear: ['ff\\.layer_[12]'],
      },
    },
  ]
}

type LinearRoles = FamilyRoles & { readonly linear: readonly string[] }

function llamaRoles(): LinearRoles {
  return {
    embedding: ['embed_tokens'],
    'output head': names('lm_head shared_head\\.head'),
    norm: ['\\w*norm'],
    linear: names(`
      (self_attn|attention|attn|cross_attn|linear_attn|conv)\\.(q|k|v|o|qkv|out|in|q_a|q_b|kv_b)_proj
      (mlp|feed_forward|ffn)\\.(gate|up|down|gate_up|in|out)_proj
      (mlp|feed_forward)\\.(w1|w2|w3|fc1|fc2) self_attn\\.dense`),
  }
}

function gptRoles(): LinearRoles {
  return {
    embedding: names(`wte wpe tokens_embed positions_embed embed_in word_embeddings embed_tokens
      embed_positions`),
    'output head': names('lm_head embed_out score output_layer'),
    norm: names('ln_\\w+ \\w*norm word_embeddings_layernorm norm_\\w+'),
    linear:
      names(`(attention|attn|self_attention|self_attn)\\.(\\w+_proj|query_key_value|dense|Wqkv|qkv)
      mlp\\.(fc_in|fc_out|up_proj|down_proj|dense_h_to_4h|dense_4h_to_h) fc[12]`),
  }
}

/** Mixtures of experts: each expert on its own, or all stacked in one tensor. */
function mixtures(ofLlama: LinearRoles): ModelFamily[] {
  const stacked = ['experts\\.(gate_up_proj|gate_proj|up_proj|down_proj|w1|w2|w3)']
  const routed = {
    ...ofLlama,
    router: names(`(mlp|moe|feed_forward|block_sparse_moe)\\.(gate|router) shared_expert_gate
      gate\\.wg router\\.classifier`),
    linear: [
      ...ofLlama.linear,
      ...names(`experts\\.\\d+\\.(gate_proj|up_proj|down_proj|w1|w2|w3)
        (shared_experts?|shared_mlp)\\.(gate|up|down)_proj kv_a_proj_with_mqa eh_proj`),
    ],
  }
  return [
    {
      modelTypes: names(`mixtral qwen2_moe qwen3_moe qwen3_next olmoe flex_olmo phimoe jamba minimax
        minimax_m2 deepseek deepseek_v2 deepseek_v3 kimi_k2 glm4_moe glm4v_moe dots1 ernie4_5_moe
        hunyuan_v1_moe lfm2_moe longcat_flash qwen3_omni_moe arctic`),
      roles: { ...routed, experts: stacked },
    },
    {
      modelTypes: names(`gpt_oss llama4 llama4_text qwen3_vl_moe qwen3_vl_moe_text aria aria_text`),
      roles: { ...routed, 'transposed experts': [...stacked, 'experts\\.fc[12]'] },
    },
    {
      modelTypes: names('granitemoe granitemoeshared granitemoehybrid jetmoe'),
      roles: {
        ...routed,
        router: ['router(\\.layer)?'],
        experts: ['(block_sparse_moe|mlp|experts)\\.(input|output)_linear'],
        linear: [...ofLlama.linear, 'shared_mlp\\.(input|output)_linear', 'mamba\\.(in|out)_proj'],
      },
    },
    {
      modelTypes: ['dbrx'],
      roles: {
        embedding: ['wte'],
        'output head': ['lm_head'],
        router: ['router\\.layer'],
        norm: ['norm_\\d'],
        linear: ['attn\\.(Wqkv|out_proj)'],
        // All experts below each other, (E * N, K); w2 is used as (K, N).
        'part of a module': ['experts\\.mlp\\.(w1|v1|w2)'],
      },
    },
  ]
}
