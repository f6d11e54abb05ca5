/** @file Keys of an FqnToConfig that name nothing in a model. */

import { FqnToConfig, type ConfigOrTorchAo } from '@ao/quantize'
import { usageError } from './errors.ts'
import { nearest } from './suggest.ts'

const DEFAULT_KEY = '_default'

/**
 * Notes on keys that decide about no tensor. Names that are not there are most likely misspelt; a pattern
 * may be there for other models, and null asks for nothing.
 *
 * @param names - of the model's tensors
 * @param unused - keys that decided about none of them
 * @throws {@link UsageError} where a name is not there, or no key decides about anything
 */
export function checkConfigKeys(
  given: ConfigOrTorchAo,
  names: readonly string[],
  unused: readonly string[],
): string[] {
  const config = 'config' in given ? given.config : given
  if (!(config instanceof FqnToConfig)) return []
  const { fqnToConfig } = config
  const keys = Object.keys(fqnToConfig)
  const idle = unused.filter((key) => key !== DEFAULT_KEY)
  const missing = idle.find((key) => fqnToConfig[key] !== null && !key.startsWith('re:'))
  const isIdle = keys.length > 0 && unused.length === keys.length
  const first = missing ?? (isIdle ? (idle[0] ?? keys[0]) : undefined)
  if (first !== undefined) throw unknownKey(first, names)
  return idle.map((key) => `the key '${key}' of the config names nothing in this model`)
}

function unknownKey(key: string, names: readonly string[]): Error {
  const known = [...new Set(names.flatMap((name) => [moduleOf(name), name]))].filter(Boolean)
  const guess = nearest(key.replace(/^re:/, ''), known)
  const example = known[0] ?? 'none'
  return usageError(
    'keys of the config to name modules or tensors of the model',
    `'${key}'`,
    guess === undefined
      ? `Names are as in ao inspect, such as ${example}; patterns begin with re: and match whole names.`
      : `Did you mean ${guess}?`,
  )
}

function moduleOf(name: string): string {
  return name.slice(0, Math.max(name.lastIndexOf('.'), 0))
}
