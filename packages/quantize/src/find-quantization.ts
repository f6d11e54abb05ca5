/** @file Whether a checkpoint is quantized already, and by what: its config and the look of its tensors say. */

import { isJsonObject, type Json, takes } from '@ao/base-tensor'

/** A tensor as its file describes it. */
export interface ListedTensor {
  readonly name: string
  /** As in the file's header, such as `U32`. */
  readonly dtype: string
  readonly shape: readonly number[]
}

/** What quantized a checkpoint, and what tells so. */
export interface FoundQuantization {
  /** Such as `gptq`, `MLX` or `torchao`. */
  readonly method: string
  /** A clause such as `quantization in config.json`. */
  readonly evidence: string
}

/**
 * The quantizations of a checkpoint that its config and its plain tensors show: empty for a float model.
 * Tensors of torchao's classes count as described by the checkpoint itself; do not pass them.
 *
 * @param configJson - the model's `config.json`; null where there is none
 * @param tensors - its plain tensors
 */
export function findQuantization(
  configJson: Json,
  tensors: readonly ListedTensor[],
): FoundQuantization[] {
  takes('.l', configJson, tensors)
  return [...inConfig(configJson, ''), ...inTensors(tensors)]
}

/** Keys of configs, and whose they are where nothing in them says so. */
const CONFIG_KEYS: readonly (readonly [key: string, method: string])[] = [
  ['quantization_config', 'an unnamed method'],
  ['quantization', 'MLX'],
  ['compression_config', 'compressed-tensors'],
  ['quant_config', 'an unnamed method'],
]
const METHOD_FIELDS = ['quant_method', 'quant_algo', 'format']
/** How deep the configs of a model's parts may lie in each other. */
const MAX_DEPTH = 3

function inConfig(config: Json, path: string, depth = 0): FoundQuantization[] {
  if (!isJsonObject(config) || depth > MAX_DEPTH) return []
  const own = CONFIG_KEYS.flatMap(([key, method]) => {
    const value = config[key]
    if (value === undefined || value === null || value === false) return []
    if (isJsonObject(value) && Object.keys(value).length === 0) return []
    const named = isJsonObject(value)
      ? METHOD_FIELDS.map((field) => value[field]).find((name) => typeof name === 'string')
      : undefined
    return [{ method: named ?? method, evidence: `${path}${key} in config.json` }]
  })
  const keys = new Set(CONFIG_KEYS.map(([key]) => key))
  const nested = Object.entries(config).filter(([key]) => !keys.has(key))
  return [...own, ...nested.flatMap(([key, value]) => inConfig(value, `${path}${key}.`, depth + 1))]
}

/** A tensor whose name gives a method away. */
interface TensorRule {
  readonly method: string
  readonly name: RegExp
  /** The weight that it goes with must be of integers or of eight bits, where others use the name, too. */
  readonly besideCodes?: true
  /** Another tensor that must be there: the name with this for what `name` matched. */
  readonly beside?: string
}

/** The first that matches names the method. */
const TENSOR_RULES: readonly TensorRule[] = [
  { method: 'torchao, its metadata lost,', name: /\._\w+_qdata$/ },
  { method: 'AWQ or GPTQ', name: /\.qweight$/ },
  { method: 'compressed-tensors', name: /\.weight_packed$/ },
  { method: 'bitsandbytes', name: /\.(weight\.(absmax|quant_map|quant_state\.\w+)|SCB)$/ },
  { method: 'MXFP4', name: /_blocks$/, beside: '_scales' },
  { method: 'MLX', name: /\.biases$/, beside: '.scales' },
  { method: 'MLX', name: /\.scales$/, besideCodes: true },
  { method: 'HQQ', name: /\.W_q$/ },
  { method: 'Quanto', name: /\.weight\._data$/ },
  { method: 'AQLM', name: /\.codebooks$/, beside: '.codes' },
  { method: 'fp8', name: /\.(weight_scale_inv|scale_weight)$/ },
  { method: 'fp8 or int8', name: /\.(weight_scale(s|_2)?|scales?)$/, besideCodes: true },
]

const FLOATS = new Set(['F64', 'F32', 'F16', 'BF16'])
/** Dtypes that are of no use without scales. */
const MX_DTYPES = /^(F4(_|$)|F6_|F8_E8M0)/

function inTensors(tensors: readonly ListedTensor[]): FoundQuantization[] {
  for (const each of tensors) takes('o<name:x dtype:x>', each)
  const dtypes = new Map(tensors.map(({ name, dtype }) => [name, dtype]))
  const found = new Map<string, FoundQuantization>()
  for (const { name, dtype, shape } of tensors) {
    const method =
      TENSOR_RULES.find((rule) => matches(rule, name, dtypes))?.method ??
      (MX_DTYPES.test(dtype) ? 'MX formats' : isPacked(name, dtype, shape) ? 'packing' : undefined)
    if (method === undefined || found.has(method)) continue
    found.set(method, { method, evidence: `${name} of ${dtype} [${shape.join(', ')}]` })
  }
  // Whatever packed a weight has a name of its own where its scales are.
  if (found.size > 1) found.delete('packing')
  return [...found.values()]
}

function matches(
  { name: pattern, beside, besideCodes }: TensorRule,
  name: string,
  dtypes: ReadonlyMap<string, string>,
): boolean {
  if (!pattern.test(name)) return false
  if (beside !== undefined) return dtypes.has(name.replace(pattern, beside))
  if (besideCodes !== true) return true
  const weight = dtypes.get(name.replace(pattern, '.weight'))
  return weight !== undefined && !FLOATS.has(weight)
}

/** A matrix of integers by a weight's name. */
function isPacked(name: string, dtype: string, shape: readonly number[]): boolean {
  return /(^|[._])weight$/.test(name) && shape.length >= 2 && /^[UI]\d/.test(dtype)
}
