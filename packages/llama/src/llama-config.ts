/** @file Reads a Llama's config.json. */

import { llama, parseConfig, type CausalLMConfig } from '@ao/causal-lm'
import type { ConfigOptions } from '@ao/text-generation'

/** A Llama model's shape, from the config.json of Hugging Face transformers. */
export type LlamaConfig = CausalLMConfig

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
  return parseConfig(json, [llama], where, options).config
}
