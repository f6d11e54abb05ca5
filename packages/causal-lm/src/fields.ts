/** @file Fields of config.json that no family reads, and what is made of them. */

import { isObject, type FieldRules } from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'
import type { CausalLMFamily } from './family.ts'

/** Names, from a text with spaces between them. */
export const fieldNames = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/))

/** Fields about the choice of tokens: they change no logits. */
export const GENERATION_FIELDS: ReadonlySet<string> = /* @__PURE__ */ fieldNames(`
  do_sample temperature top_k top_p min_p typical_p epsilon_cutoff eta_cutoff
  repetition_penalty encoder_repetition_penalty length_penalty diversity_penalty
  exponential_decay_length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size
  num_beams num_beam_groups early_stopping num_return_sequences bad_words_ids suppress_tokens
  begin_suppress_tokens forced_bos_token_id forced_eos_token_id remove_invalid_values
  min_length min_new_tokens`)

/** Fields that every config of transformers may have, and leftovers of well-known tools. */
const HARMLESS_FIELDS = /* @__PURE__ */ fieldNames(`
  _name_or_path name_or_path transformers_version _commit_hash auto_map license
  _attn_implementation _attn_implementation_autoset attn_implementation _flash_attn_2_enabled
  use_cache initializer_range pretraining_tp gradient_checkpointing chunk_size_feed_forward
  output_hidden_states output_attentions output_scores return_dict use_return_dict
  return_dict_in_generate tie_last_hidden_states torchscript use_bfloat16 tf_legacy_loss is_decoder
  id2label label2id num_labels problem_type finetuning_task task_specific_params
  tokenizer_class prefix bos_token_id pad_token_id sep_token_id unk_token_id cls_token_id
  mask_token_id decoder_start_token_id max_length max_new_tokens
  use_sliding_window max_window_layers sliding_window_pattern _sliding_window_pattern
  max_sequence_length model_max_length max_seq_len seq_length
  unsloth_fixed unsloth_version transformers.js_config`)

const all = (value: unknown, expected: readonly unknown[]): boolean =>
  Array.isArray(value) && value.every((item) => expected.includes(item))

/** What is made of fields that a family's `parse` does not read. */
export function fieldRules({ architectures, fields }: CausalLMFamily): FieldRules<CausalLMConfig> {
  return {
    harmless: new Set([...HARMLESS_FIELDS, ...GENERATION_FIELDS, ...(fields?.harmless ?? [])]),
    inactive: {
      architectures: (value) => all(value, architectures),
      quantization_config: (value) => isObject(value) && value['quant_method'] === 'torchao',
      sliding_window: (value, { maxPositions }) => Number(value) >= maxPositions,
      layer_types: (value) => all(value, ['full_attention']),
      no_rope_layers: (value) => all(value, [1, true]),
      attention_multiplier: (value, { headDim }) => isClose(value, headDim ** -0.5),
      query_pre_attn_scalar: (value, { headDim }) => value === headDim,
      rotary_dim: (value, { headDim }) => value === headDim,
      partial_rotary_factor: [1],
      rotary_pct: [1],
      rotary_emb_base: (value, { rope }) => 'theta' in rope && value === rope.theta,
      scale_depth: [],
      // Switches that are on.
      is_causal: [true],
      use_rope: [true],
      ...fields?.inactive,
    },
  }
}

function isClose(value: unknown, expected: number): boolean {
  return Math.abs(Number(value) - expected) <= 1e-6 * expected
}
