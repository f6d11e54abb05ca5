/** @file Tables of encoders, of encoders with decoders, and of models for images and sound. */

import { names, type FamilyRoles, type ModelFamily } from './model-family.ts'

/** Families of encoders. */
export function encoderFamilies(): ModelFamily[] {
  const ofBert = bertRoles()
  const ofClip = clipRoles()
  return [
    {
      modelTypes: names(`bert roberta xlm-roberta xlm-roberta-xl camembert distilbert albert electra
        deberta deberta-v2 mpnet layoutlm layoutlmv3 longformer big_bird ernie esm luke tapas canine
        nezha megatron-bert roformer convbert mobilebert nomic_bert xlm`),
      roles: ofBert,
    },
    {
      modelTypes: names('vit deit beit dinov2 swin data2vec-vision vit_mae vit_msn'),
      roles: {
        ...ofBert,
        convolution: ['patch_embeddings\\.projection'],
        embedding: names('position_embeddings relative_position_bias_table'),
      },
    },
    {
      modelTypes: names('t5 mt5 umt5 longt5 byt5 switch_transformers pop2piano udop'),
      roles: {
        embedding: names(`shared embed_tokens relative_attention_bias global_relative_attention_bias
          relative_bias`),
        router: ['router\\.classifier'],
        'output head': names('lm_head classification_head\\.out_proj qa_outputs classifier'),
        norm: ['\\w*layer_norm'],
        linear: names('\\w*(SelfAttention|EncDecAttention|attention)\\.(q|k|v|o) wi|wi_0|wi_1|wo'),
      },
    },
    {
      modelTypes:
        names(`bart mbart marian pegasus pegasus_x blenderbot blenderbot-small m2m_100 nllb-moe
        plbart mvp led bigbird_pegasus trocr whisper speech_to_text`),
      roles: {
        convolution: names('conv\\d conv_layers\\.\\d+'),
        embedding: names('shared embed_tokens embed_positions'),
        'output head': names('lm_head proj_out classification_head\\.out_proj qa_outputs'),
        router: ['router\\.classifier'],
        norm: names('\\w*layer_?norm\\w*'),
        linear: names('\\w+_attn\\.(q|k|v|out)_proj fc[12] (k|v|q|out)_proj'),
      },
    },
    {
      modelTypes: names(`clip clip_text_model clip_vision_model siglip siglip_text_model
        siglip_vision_model chinese_clip clipseg blip altclip`),
      roles: { convolution: names('patch_embedding patch_embed\\.proj'), ...ofClip },
    },
    {
      // Patches are pixels in a row here, and their embedding a linear layer.
      modelTypes: names('siglip2 siglip2_vision_model siglip2_text_model'),
      roles: { ...ofClip, linear: ['patch_embedding', ...ofClip.linear] },
    },
    {
      modelTypes:
        names(`wav2vec2 wav2vec2-bert wav2vec2-conformer hubert wavlm unispeech unispeech-sat
        speecht5 vits parler_tts parler_tts_decoder musicgen musicgen_decoder`),
      roles: {
        convolution: names('conv conv_layers\\.\\d+\\.conv'),
        embedding: names(`embed_tokens(\\.\\d+)? embed_positions pe_k rel_attn_embed embed_prompts
          embed_speaker emb_g`),
        'output head': names('lm_head lm_heads\\.\\d+'),
        norm: ['\\w*layer_?norm'],
        linear: names(`(attention|self_attn|encoder_attn)\\.(q|k|v|out)_proj
          (intermediate|output)_dense feature_projection\\.projection speaker_embeds_layer
          gru_rel_pos_linear linear_(q|k|v|out|pos) feat_out prob_out fc[12] enc_to_dec_proj
          project_(q|hid)`),
      },
    },
    {
      modelTypes: names('bark semantic coarse_acoustics fine_acoustics'),
      roles: {
        embedding: names('input_embeds_layers?(\\.\\d+)? position_embeds_layer'),
        'output head': names('lm_head lm_heads\\.\\d+'),
        norm: ['layernorm_\\w+'],
        linear: names('attn\\.(att|out)_proj mlp\\.(in|out)_proj'),
      },
    },
  ]
}

type LinearRoles = FamilyRoles & { readonly linear: readonly string[] }

function bertRoles(): LinearRoles {
  return {
    embedding: names(`\\w+_embeddings(_\\d+)? distance_embedding rel_embeddings
      HashBucketCodeEmbedder_\\d+ embeddings`),
    'output head': names(`predictions\\.decoder lm_head\\.decoder vocab_projector seq_relationship
      generator_lm_head classifier(\\.out_proj)? qa_outputs score pred_layer\\.proj`),
    norm: ['\\w*(LayerNorm|layer_norm|layernorm)\\w*'],
    linear: names(`(self|attention)\\.(\\w+_)?(query|key|value)(_\\w+)?
      (q|k|v|out|in|pos|pos_q|query|key|value)_(lin|proj) \\w*dense ffn\\.lin[12] ffn(_output)?
      vocab_transform embeddings_project embedding_hidden_mapping_in`),
  }
}

function clipRoles(): LinearRoles {
  return {
    embedding: names('token_embedding position_embedding class_embedding'),
    // Of torch's MultiheadAttention, which torchao leaves alone.
    'part of a module': ['head\\.attention\\.out_proj'],
    norm: names('\\w*(layer_?norm|layrnorm)\\d?'),
    linear: names('self_attn\\.(q|k|v|out)_proj mlp\\.fc[12] (visual|text)_projection'),
  }
}
