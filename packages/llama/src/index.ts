export { parseLlamaConfig, type LlamaConfig } from './config.ts'
export type { ConfigOptions, Ignored } from './field-rules.ts'
export type { GenerateOptions } from './generate.ts'
export { KVCache, type CachedLayer, type KVCacheOptions } from './kv-cache.ts'
export { LlamaForCausalLM } from './llama-for-causal-lm.ts'
export type { LoadOptions, LoadProgress } from './load.ts'
export type { UnexpectedTensorsOptions } from './match-tensors.ts'
export type { LlamaAttention, LlamaDecoderLayer, LlamaMLP, LlamaModel } from './modules.ts'
export { attention } from './ops/attention.ts'
export { rope } from './ops/rope.ts'
export { siluMul } from './ops/silu-mul.ts'
export {
  perplexity,
  type LogitsModel,
  type PerplexityOptions,
  type PerplexityResult,
} from './perplexity.ts'
export type { RopeConfig } from './rope-config.ts'
export { createSampler, type Sampler, type SamplingOptions } from './sampler.ts'
export { TextStream } from './text-stream.ts'
export {
  loadTokenizer,
  Tokenizer,
  type DecodeOptions,
  type EncodeOptions,
  type LoadTokenizerOptions,
} from './tokenizer.ts'
