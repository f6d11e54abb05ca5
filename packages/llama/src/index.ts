export { parseLlamaConfig, type LlamaConfig } from './llama-config.ts'
export {
  LlamaForCausalLM,
  type LlamaAttention,
  type LlamaDecoderLayer,
  type LlamaMLP,
  type LlamaModel,
} from './llama-for-causal-lm.ts'

// This package alone is enough to load a model, generate and measure.
export {
  createSampler,
  KVCache,
  loadTokenizer,
  perplexity,
  TextStream,
  Tokenizer,
  type ConfigOptions,
  type DecodeOptions,
  type EncodeOptions,
  type GenerateOptions,
  type Ignored,
  type LoadOptions,
  type LoadProgress,
  type LoadTokenizerOptions,
  type LogitsModel,
  type PerplexityOptions,
  type PerplexityResult,
  type RopeConfig,
  type Sampler,
  type SamplingOptions,
  type UnexpectedTensorsOptions,
} from '@ao/text-generation'
