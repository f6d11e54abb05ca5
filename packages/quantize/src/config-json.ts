/**
 * @file Config JSON, as torchao's `config_to_dict` writes it:
 * `{"_type": "Int8WeightOnlyConfig", "_version": 2, "_data": {...}}`.
 *
 * Nothing is looked up by name outside the lists that the caller passes.
 */

import {
  FormatError,
  isJsonObject,
  jsonType,
  rejectJson,
  type ConfigJsonContext,
  type Json,
  type QuantizationConfig,
} from '@ao/base-tensor'
import { fromVersion1, withoutLeftOver } from './config-version-1.ts'

/** {@link ConfigJsonContext}, and what to do about a version that is not the one that is read. */
export interface ReadConfigContext extends ConfigJsonContext {
  /** Told instead of throwing; the config is then read as if it had the known version. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/**
 * The config that a JSON object describes, out of those listed in `context`.
 *
 * @throws {@link FormatError} for an unknown config, another version or bad data, naming its path
 */
export function readConfig(json: Json, context: ReadConfigContext): QuantizationConfig {
  const { path, configs, onWarning } = context
  const type = jsonType(json, path)
  const config = configs.find(({ configName }) => configName === type)
  if (!config) {
    rejectJson(
      path,
      `one of the configs given (${configs.map(({ configName }) => configName).join(', ')})`,
      type,
      `Import ${type} from the package of its format and list it in \`configs\`.`,
    )
  }
  // Where a config says no version, torchao takes it as its first.
  const {
    _type: _,
    _version: version = 1,
    _data,
    ...others
  } = json as { readonly [key: string]: Json }
  const stray = Object.keys(others)[0]
  if (stray !== undefined) rejectJson(path, 'an object of _type, _version and _data', stray)
  const isFirst = version === 1 && config.configVersion === 2 && isJsonObject(_data)
  const upgraded = isFirst ? fromVersion1(type, _data, `${path}._data`) : undefined
  const data = upgraded ?? _data
  if (version !== config.configVersion && !upgraded) {
    const error = versionError(path, type, config.configVersion, version)
    if (!onWarning) throw error
    onWarning(error.message)
  }
  if (!isJsonObject(data)) rejectJson(`${path}._data`, 'an object', data)
  const own = withoutLeftOver(type, data, `${path}._data`)
  return config.fromJSON(own, { ...context, path: `${path}._data` })
}

function versionError(path: string, type: string, expected: number, got: Json): FormatError {
  return new FormatError({
    package: '@ao/quantize',
    expected: `${path} to be version ${expected} of ${type}`,
    got: `version ${JSON.stringify(got)}`,
    cure: 'Pass onWarning to read it all the same: its fields may then mean something else.',
  })
}
