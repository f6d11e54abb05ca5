/** @file The fields of config.json that all families have, with the defaults of each. */

import { isFloatDType, type DType, type FloatDType } from '@ao/base-tensor'
import {
  longestText,
  MAX_POSITIONS,
  parseRopeConfig,
  type ConfigFields,
  type GateActivation,
  type LayerCacheShape,
  type RopeConfig,
} from '@ao/text-generation'
import type { CausalLMConfig } from './config.ts'

// Twice the largest of real models at least, and no more: so a forged file cannot ask for more than there is.
/** Llama 3.1 405B has 126. */
const MAX_LAYERS = 1024
/** XLM-V has 901,629 tokens. */
const MAX_VOCABULARY = 2 ** 21
/** Llama 3.1 405B has 16,384. */
const MAX_HIDDEN = 2 ** 16
/** Llama 3.1 405B has 53,248. */
const MAX_INTERMEDIATE = 2 ** 19
const MAX_HEADS = 2 ** 12
/** Gemma has 512. */
const MAX_HEAD_DIM = 2 ** 12

/** What files of a family mean where they leave a field out: the defaults of transformers. */
export interface ShapeDefaults {
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numLayers: number
  readonly numHeads: number
  /** As many as `numHeads` unless given. */
  readonly numKeyValueHeads?: number
  /** `hiddenSize / numHeads` unless given. */
  readonly headDim?: number
  readonly maxPositions: number
  readonly rmsNormEps: number
  readonly theta: number
  readonly eosTokenIds: readonly number[]
  /** False unless given. */
  readonly isTied?: boolean
  /** False unless given. */
  readonly attentionBias?: boolean
}

/** Names of fields that some families call otherwise. */
export interface FieldNames {
  readonly eps?: string
  readonly act?: string
}

/** A config of the fields that all families have. */
export function parseShape(
  fields: ConfigFields,
  defaults: ShapeDefaults,
  { eps = 'rms_norm_eps', act = 'hidden_act' }: FieldNames = {},
): CausalLMConfig {
  const hiddenSize = fields.size('hidden_size', defaults.hiddenSize, MAX_HIDDEN)
  const maxPositions = fields.size(
    ...(['max_position_embeddings', defaults.maxPositions, MAX_POSITIONS] as const),
  )
  const rope = parseRopeConfig(fields, { theta: defaults.theta, maxPositions })
  return {
    vocabSize: fields.size('vocab_size', defaults.vocabSize, MAX_VOCABULARY),
    hiddenSize,
    intermediateSize: intermediateSize(fields, 'intermediate_size', defaults.intermediateSize),
    numLayers: fields.size('num_hidden_layers', defaults.numLayers, MAX_LAYERS),
    ...parseHeads(fields, hiddenSize, defaults),
    hiddenAct: parseActivation(fields, act),
    rmsNormEps: fields.number(eps, defaults.rmsNormEps, 1e-30, 1),
    maxPositions: longestText(rope, maxPositions),
    rope,
    tieWordEmbeddings: fields.boolean('tie_word_embeddings', defaults.isTied ?? false),
    attentionBias: fields.boolean('attention_bias', defaults.attentionBias ?? false),
    mlpBias: false,
    dtype: parseDType(fields),
    eosTokenIds: fields.ids('eos_token_id', defaults.eosTokenIds),
  }
}

/** The width of an MLP. */
export function intermediateSize(
  fields: ConfigFields,
  name: string,
  fallback: number | undefined,
): number {
  return fields.size(name, fallback, MAX_INTERMEDIATE)
}

/** A layer that sees so many tokens; all unless given. */
type Window = number | undefined

/** `layerCaches` of layers that see so many tokens each; nothing where all see everything. */
export function windowsOf(
  { numKeyValueHeads, headDim }: CausalLMConfig,
  windows: readonly Window[],
): { readonly layerCaches?: readonly LayerCacheShape[] } {
  if (windows.every((window) => window === undefined)) return {}
  return {
    layerCaches: windows.map((slidingWindow) => ({ numKeyValueHeads, headDim, slidingWindow })),
  }
}

const LAYER_TYPES = ['full_attention', 'sliding_attention'] as const

/**
 * Which layers have a sliding window, by `layer_types`, and the windows of all.
 *
 * @param window - the window of those that have one; undefined where the model has none
 * @param isSliding - what `layer_types` says where it is left out
 */
export function parseWindows(
  fields: ConfigFields,
  { numLayers }: CausalLMConfig,
  window: Window,
  isSliding: (layer: number) => boolean,
): readonly Window[] {
  const types = fields.layers('layer_types', numLayers, LAYER_TYPES, (layer) =>
    isSliding(layer) && window !== undefined ? 'sliding_attention' : 'full_attention',
  )
  const sliding = types.map((type) => type === 'sliding_attention')
  if (window === undefined && sliding.includes(true)) {
    fields.reject('layer_types', 'full_attention for every layer, as no sliding_window is set')
  }
  return sliding.map((slides) => (slides ? window : undefined))
}

/** `sliding_window`, as 'not set' where it is null; what `fallback` says where it is left out. */
export function parseWindow(fields: ConfigFields, fallback?: number): Window {
  const isSet = fields.get('sliding_window') !== undefined
  if (!isSet && fields.has('sliding_window')) return undefined
  return isSet || fallback !== undefined
    ? fields.size('sliding_window', fallback, 2 ** 30)
    : undefined
}

/**
 * Windows of families with `use_sliding_window`, which have them from layer `max_window_layers` on unless
 * `layer_types` says otherwise.
 */
export function parseOptionalWindows(
  fields: ConfigFields,
  config: CausalLMConfig,
  isSliding?: (layer: number) => boolean,
): ReturnType<typeof windowsOf> {
  const isUsed = fields.boolean('use_sliding_window', false)
  const from = fields.number('max_window_layers', 28, 0, 2 ** 30)
  const window = parseWindow(fields, 4096)
  const windows = parseWindows(
    ...([fields, config, isUsed ? window : undefined] as const),
    isSliding ?? ((layer) => layer >= from),
  )
  return windowsOf(config, windows)
}

/** The ropes of layers of which each has one of two. */
export function ropesOf<Kind>(
  kinds: readonly Kind[],
  ropeOf: (kind: Kind) => RopeConfig,
): { readonly layerRopes: readonly RopeConfig[] } {
  return { layerRopes: kinds.map(ropeOf) }
}

function parseHeads(
  fields: ConfigFields,
  hiddenSize: number,
  defaults: ShapeDefaults,
): Pick<CausalLMConfig, 'numHeads' | 'numKeyValueHeads' | 'headDim'> {
  const numHeads = fields.size('num_attention_heads', defaults.numHeads, MAX_HEADS)
  const groups = defaults.numKeyValueHeads
  const fallback = fields.has('num_key_value_heads') ? numHeads : (groups ?? numHeads)
  const numKeyValueHeads = fields.size('num_key_value_heads', fallback, MAX_HEADS)
  if (numHeads % numKeyValueHeads !== 0) {
    fields.reject('num_key_value_heads', `a divisor of num_attention_heads, ${numHeads}`)
  }
  const isOwn = fields.get('head_dim') !== undefined
  const headDim = isOwn ? undefined : (defaults.headDim ?? hiddenSize / numHeads)
  if (headDim !== undefined && !Number.isInteger(headDim)) {
    fields.reject('num_attention_heads', `a divisor of hidden_size, ${hiddenSize}`)
  }
  const checked = fields.size('head_dim', headDim, MAX_HEAD_DIM)
  if (checked % 2 !== 0) fields.reject('head_dim', 'even: rotations act on pairs')
  return { numHeads, numKeyValueHeads, headDim: checked }
}

/** Names of transformers for one activation. */
const ACTIVATIONS: Readonly<Record<string, GateActivation>> = {
  silu: 'silu',
  gelu: 'gelu',
  swish: 'silu',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
}

/** The activation that a field names; silu unless given. */
export function parseActivation(
  fields: ConfigFields,
  name: string,
  fallback = 'silu',
): GateActivation {
  return ACTIVATIONS[fields.choice(name, Object.keys(ACTIVATIONS), fallback)] as GateActivation
}

/** The dtype that weights were saved in, under either name. */
export function parseDType(fields: ConfigFields): FloatDType | undefined {
  const old = fields.get('torch_dtype')
  const dtype = fields.get('dtype') ?? old
  if (dtype === undefined || isFloatDType(dtype as DType)) return dtype as FloatDType | undefined
  const name = dtype === old ? 'torch_dtype' : 'dtype'
  return fields.reject(name, 'float32, float16 or bfloat16')
}
