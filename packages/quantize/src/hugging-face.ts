/** @file The `quantization_config` that Hugging Face's transformers keeps in `config.json`. */

import {
  booleanCodec,
  decodeJson,
  FormatError,
  isJsonObject,
  listCodec,
  optionalCodec,
  rejectJson,
  stringCodec,
  type Json,
  type QuantizationConfig,
  takes,
} from '@ao/base-tensor'
import { configFromJson, type ConfigFromJsonOptions } from './config-from-json.ts'
import { TorchAoConfig, type HuggingFaceQuantization } from './torchao-config.ts'

/**
 * Reads the `quantization_config` of a whole Hugging Face `config.json`.
 *
 * @returns undefined where the model is not quantized
 * @throws {@link FormatError} for other quantization methods than torchao's, and what
 * {@link configFromJson} throws
 */
export function readQuantizationConfig(
  configJson: Json,
  options: ConfigFromJsonOptions,
): TorchAoConfig | undefined {
  takes('.o', configJson, options)
  const path = 'quantization_config'
  const json = isJsonObject(configJson)
    ? configJson[path]
    : rejectJson('config.json', 'an object', configJson)
  if (json === undefined || json === null) return undefined
  if (!isJsonObject(json)) return rejectJson(path, 'an object', json)
  if (json['quant_method'] !== 'torchao')
    rejectJson(`${path}.quant_method`, '"torchao"', json['quant_method'])
  const quantType = json['quant_type']
  if (!isJsonObject(quantType) || quantType['default'] === undefined) {
    throw new FormatError({
      package: '@ao/quantize',
      expected: `${path}.quant_type to be {"default": <config>}`,
      got: JSON.stringify(quantType),
      cure: 'Names such as "int4_weight_only" are from before torchao 0.10: save the model anew.',
    })
  }
  const modulesCodec = optionalCodec(listCodec(stringCodec))
  const modules = json['modules_to_not_convert'] ?? null
  return new TorchAoConfig({
    config: configFromJson(quantType['default'], options, `${path}.quant_type.default`),
    modulesToNotConvert: decodeJson(modulesCodec, modules, `${path}.modules_to_not_convert`),
    includeInputOutputEmbeddings: flag(json, 'include_input_output_embeddings', path),
    untieEmbeddingWeights: flag(json, 'untie_embedding_weights', path),
  })
}

/** A boolean; false where it is absent or null. */
function flag(json: Readonly<Record<string, Json>>, key: string, path: string): boolean {
  return decodeJson(booleanCodec, json[key] ?? false, `${path}.${key}`)
}

/** The `quantization_config` of a Hugging Face `config.json`, for a model quantized with `config`. */
export function toQuantizationConfig(
  config: QuantizationConfig,
  options: Partial<Omit<HuggingFaceQuantization, 'config'>> = {},
): Json {
  takes('o<quantizeTensor:f toJSON:f>o?', config, options)
  return {
    quant_method: 'torchao',
    quant_type: { default: config.toJSON() },
    modules_to_not_convert: options.modulesToNotConvert ?? null,
    include_input_output_embeddings: options.includeInputOutputEmbeddings ?? false,
    untie_embedding_weights: options.untieEmbeddingWeights ?? false,
  }
}
