export { checkIds } from './check-ids.ts'
export { ConfigFields, isObject, type UnreadField } from './config-fields.ts'
export type { DecoderShape, LayerCacheShape } from './decoder-shape.ts'
export type { DecodingModel } from './decode-steps.ts'
export {
  checkUnreadFields,
  reportUnusedFields,
  type ConfigOptions,
  type FieldRules,
  type Ignored,
} from './field-rules.ts'
export { floatDType } from './float-dtype.ts'
export { generate, type CachingModel, type GenerateOptions } from './generate.ts'
export { KVCache, type CachedLayer, type KVCacheOptions } from './kv-cache.ts'
export { loadParameters, type LoadOptions, type LoadProgress } from './load.ts'
export type { TensorNames, UnexpectedTensorsOptions } from './match-tensors.ts'
export { addRmsNorm } from './ops/add-rms-norm.ts'
export { attention, type AttentionArgs } from './ops/attention.ts'
export type { AttentionOptions } from './ops/attention-options.ts'
export { gatedActivation, type GateActivation } from './ops/gated-activation.ts'
export type { CountedPosition, Position } from './ops/position.ts'
export { ropeAppend, type RopeAppendArgs } from './ops/rope-append.ts'
export type { RopeOptions } from './ops/rope-options.ts'
export { rope, type RopeArgs } from './ops/rope.ts'
export {
  perplexity,
  type LogitsModel,
  type PerplexityOptions,
  type PerplexityResult,
} from './perplexity.ts'
export { readJson, readJsonIfThere } from './read-json.ts'
export {
  longestText,
  MAX_POSITIONS,
  parsePartialRotary,
  parseRopeByLayerType,
  parseRopeConfig,
  type RopeConfig,
  type RopeDefaults,
} from './rope-config.ts'
export { ropeRegime, rotaryFrequencies } from './rope-frequencies.ts'
export { rotaryTable, type RotaryFrequencies, type RotaryTable } from './rotary-table.ts'
export { createSampler, mulberry32, type Sampler, type SamplingOptions } from './sampler.ts'
export type { TensorSource } from './tensor-source.ts'
export { TextStream } from './text-stream.ts'
export {
  loadTokenizer,
  Tokenizer,
  type DecodeOptions,
  type EncodeOptions,
  type LoadTokenizerOptions,
} from './tokenizer.ts'
