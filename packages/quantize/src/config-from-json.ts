/** @file Config JSON in and out. */

import { takes } from '@ao/base-tensor'
import type {
  ConfigJsonContext,
  Json,
  QuantizationConfig,
  QuantizationConfigType,
  TensorSubclassType,
} from '@ao/base-tensor'
import { readConfig } from './config-json.ts'
import { FqnToConfig } from './fqn-to-config.ts'

/** What config JSON may refer to. */
export interface ConfigFromJsonOptions {
  /** The config classes that may appear, such as `[Int8WeightOnlyConfig]`; FqnToConfig always may. */
  readonly configs: readonly QuantizationConfigType[]
  /** The formats that a packing format may name. */
  readonly formats?: readonly TensorSubclassType[]
  /**
   * Told of a config of another version than its class reads, which is then read all the same, as
   * torchao does. Without it, that is an error.
   */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** The JSON of a config, for `JSON.stringify`. torchao's `config_to_dict`. */
export function configToJson(config: QuantizationConfig): Json {
  takes('o<quantizeTensor:f toJSON:f>', config)
  return config.toJSON()
}

/**
 * The config that a JSON value describes. torchao's `config_from_dict`.
 *
 * @param path - where the JSON stands, for messages
 * @throws {@link FormatError} naming the path of what is wrong: a config that is not listed, another
 * version, a missing or bad field
 */
export function configFromJson(
  json: Json,
  options: ConfigFromJsonOptions,
  path = 'config',
): QuantizationConfig {
  takes('.o<configs:l>{configs formats onWarning}x?', json, options, path)
  const { configs, formats = [], onWarning } = options
  return readConfig(json, { path, configs: [...configs, ...fqnConfigs()], formats, onWarning })
}

// FqnToConfig under its names over time.
function fqnConfigs(): QuantizationConfigType[] {
  const { configVersion } = FqnToConfig
  const fromJSON = (data: Json, context: ConfigJsonContext): FqnToConfig =>
    FqnToConfig.fromJSON(data, context)
  const names = [FqnToConfig.configName, 'ModuleFqnToConfig', 'AOPerModuleConfig']
  return names.map((configName) => ({ configName, configVersion, fromJSON }))
}
