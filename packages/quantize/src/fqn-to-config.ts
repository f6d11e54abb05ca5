/** @file Different configs for different parts of a model, by name. torchao's `FqnToConfig`. */

import {
  defineConfig,
  FormatError,
  isJsonObject,
  rejectJson,
  skip,
  ValueError,
  type ConfigBase,
  type Json,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { closestMatch } from 'leven'
import { fail } from './errors.ts'
import { readConfig, type ReadConfigContext } from './config-json.ts'
import { isLinearWeightName } from './linear-weight-name.ts'
import type { NamePattern } from './name-pattern.ts'
import { fullMatchPattern } from './python-pattern.ts'

/** Configs by key; null leaves alone what the key names. */
export type FqnConfigs = Readonly<Record<string, QuantizationConfig | null>>

/** The key that decides about a parameter. */
export interface FqnMatch {
  readonly key: string
  readonly config: QuantizationConfig | null
  /** Whether the key is, or spells, the parameter's own name, and not only its module's. */
  readonly spellsParameter: boolean
}

const DEFAULT_KEY = '_default'
const PATTERN_PREFIX = 're:'

/** What a config quantizes of the module that it is applied to. */
const MODULE_PARAMETER = 'weight'

interface Fields {
  readonly fqnToConfig: FqnConfigs
}

/** The patterns among the keys of a config. */
const patterns = /* @__PURE__ */ new WeakMap<FqnConfigs, readonly Pattern[]>()

const Base: ConfigBase<Fields> = /* @__PURE__ */ defineConfig<Fields>({
  name: 'FqnToConfig',
  version: 1,
  fail,
  options: { fqnToConfig: {} },
  check: ({ fqnToConfig }) => {
    const keys = Object.keys(fqnToConfig).filter((key) => key.startsWith(PATTERN_PREFIX))
    patterns.set(
      fqnToConfig,
      keys.map((key) => ({ key, pattern: fullMatchPattern(key.slice(PATTERN_PREFIX.length)) })),
    )
  },
  json: { write: writeEntries, read: readConfigs },
})

/**
 * Maps names to configs. A key is
 *
 * - the full name of a parameter, `layers.0.experts.gate_up`;
 * - the full name of a module, `layers.0.q_proj`, whose `weight` it means;
 * - `re:` and a regular expression that matches the whole of such a name (Python's `re.fullmatch`);
 * - `_default`, for the weights of all linear layers that no other key decides about.
 *
 * @remarks Each parameter is decided about on its own, by the first of: its exact name, its module's
 * exact name, the first pattern that spells its own name, the first pattern that matches at all,
 * `_default`. `re:.*\.bias` spells a parameter's own name; `re:down.*` does not, and means the `weight`
 * of modules. (torchao decides by module, lets `re:down.*` reach `down.bias` and go before `re:down`,
 * and applies every pattern that matches.)
 */
export class FqnToConfig extends Base implements QuantizationConfig {
  /**
   * Configs by the names of modules and parameters.
   *
   * @throws {@link ValueError} for a regular expression that JavaScript lacks
   */
  constructor(fqnToConfig: FqnConfigs) {
    takes('o', fqnToConfig)
    super({ fqnToConfig: Object.freeze({ ...fqnToConfig }) })
  }

  /**
   * The key that decides about a parameter, or undefined where none does.
   *
   * @param name - the parameter's full name
   * @param isDefaultTarget - whether `_default` may decide: it is a linear layer's weight
   */
  match(name: string, isDefaultTarget: boolean): FqnMatch | undefined {
    takes('x', name)
    const dot = name.lastIndexOf('.')
    const module = name.slice(0, Math.max(dot, 0))
    const isWeight = name.slice(dot + 1) === MODULE_PARAMETER
    const own = this.#exact(name)
    if (own !== undefined) return this.#entry(own, true)
    const ofModule = isWeight ? this.#exact(module) : undefined
    if (ofModule !== undefined) return this.#entry(ofModule, false)
    const spelled = this.#pattern((pattern) => spellsLastPart(pattern, name))
    if (spelled !== undefined) return this.#entry(spelled, true)
    const matched = isWeight
      ? this.#pattern((pattern) => pattern.test(module) || pattern.test(name))
      : undefined
    if (matched !== undefined) return this.#entry(matched, false)
    const hasDefault = isDefaultTarget && Object.hasOwn(this.fqnToConfig, DEFAULT_KEY)
    return hasDefault ? this.#entry(DEFAULT_KEY, false) : undefined
  }

  /** Whether a key, exact or pattern, matches a full name; `_default` does not count. */
  matchesName(fqn: string): boolean {
    takes('x', fqn)
    return (this.#exact(fqn) ?? this.#pattern((pattern) => pattern.test(fqn))) !== undefined
  }

  quantizeTensor(weight: Tensor, context: QuantizeContext): Tensor | Skipped {
    takes('to<name:x>', weight, context)
    const match = this.match(context.name, isLinearWeightName(context.name, weight))
    if (!match) return skip('no key of FqnToConfig matches')
    if (!match.config) return skip(`FqnToConfig has null for '${match.key}'`)
    return match.config.quantizeTensor(weight, context)
  }

  /**
   * Checks that the config is about a model.
   *
   * @param unused - keys that decided about no parameter
   * @param names - of the model's parameters
   * @throws {@link ValueError} when that is all keys, with the name nearest to the first of them
   */
  checkUnused(unused: readonly string[], names: readonly string[]): void {
    takes('ll', unused, names)
    for (const name of names) takes('x', name)
    const keys = Object.keys(this.fqnToConfig)
    if (keys.length === 0 || unused.length < keys.length) return
    const key = (keys.find((own) => own !== DEFAULT_KEY) ?? DEFAULT_KEY).replace(/^re:/, '')
    const known = new Set(names.flatMap((name) => [name.replace(/\.?[^.]*$/, ''), name]))
    known.delete('')
    const guess = closestMatch(key, [...known], { maxDistance: Math.max(2, key.length >> 1) })
    throw fail(
      ValueError,
      'a key of FqnToConfig to name a module or parameter of the model',
      keys.slice(0, 3).join(', ') + (keys.length > 3 ? ` and ${keys.length - 3} more` : ''),
      guess === undefined
        ? `Names are those of its parameters, such as ${names[0] ?? 'none'}. { allowUnusedKeys: true } goes on.`
        : `Did you mean ${guess}?`,
    )
  }

  #entry(key: string, spellsParameter: boolean): FqnMatch {
    return { key, config: this.fqnToConfig[key] ?? null, spellsParameter }
  }

  // The key that is exactly this name.
  #exact(name: string): string | undefined {
    const isName = name !== DEFAULT_KEY && !name.startsWith(PATTERN_PREFIX)
    return isName && Object.hasOwn(this.fqnToConfig, name) ? name : undefined
  }

  // The first key whose pattern fits.
  #pattern(fits: (pattern: NamePattern) => boolean): string | undefined {
    return patterns.get(this.fqnToConfig)?.find(({ pattern }) => fits(pattern))?.key
  }
}

/** torchao's older name of {@link FqnToConfig}. */
export const ModuleFqnToConfig: typeof FqnToConfig = FqnToConfig
/** torchao's oldest name of {@link FqnToConfig}. */
export const AOPerModuleConfig: typeof FqnToConfig = FqnToConfig

/** Whether `config` maps names to configs; also for one from another copy of this package. */
export function isFqnToConfig(config: QuantizationConfig): config is FqnToConfig {
  return (config as Partial<FqnToConfig>).fqnToConfig !== undefined
}

/**
 * Whether a key of `config`, exact or pattern, matches the full name of a module or parameter;
 * `_default` does not count. torchao's `fqn_matches_fqn_config`.
 */
export function fqnMatchesFqnConfig(fqn: string, config: FqnToConfig): boolean {
  takes('xo<match:f matchesName:f>', fqn, config)
  return config.matchesName(fqn)
}

interface Pattern {
  readonly key: string
  readonly pattern: NamePattern
}

/** Where JSON holds the entries: torchao writes both, with the same contents. */
const JSON_FIELDS = ['fqn_to_config', 'module_fqn_to_config'] as const

function writeEntries({ fqnToConfig }: Fields): Json {
  const entries = Object.entries(fqnToConfig)
  const json = Object.fromEntries(
    entries.map(([key, config]) => [key, config ? config.toJSON() : null]),
  )
  return { fqn_to_config: json, module_fqn_to_config: json }
}

/** @throws {@link FormatError} when both fields are filled in, differently, and for other fields */
function readConfigs(data: Json, context: ReadConfigContext): FqnConfigs {
  takes('.o<path:x configs:l formats:l>', data, context)
  const known: readonly string[] = JSON_FIELDS
  const stray = Object.keys(data as object).find((key) => !known.includes(key))
  if (stray !== undefined) {
    rejectJson(context.path, `an object of ${JSON_FIELDS.join(' or ')}`, stray)
  }
  const [first, second] = JSON_FIELDS.map((field) => ({
    path: `${context.path}.${field}`,
    entries: readEntries(data, field, context.path),
  })).filter(({ entries }) => Object.keys(entries).length > 0)
  if (!first) return {}
  if (second && JSON.stringify(first.entries) !== JSON.stringify(second.entries)) {
    throw fail(
      FormatError,
      `${context.path} to hold the same in ${JSON_FIELDS.join(' and ')}`,
      'two different objects',
      'Leave one of them out.',
    )
  }
  const configs = Object.entries(first.entries).map(([key, json]) => {
    const path = `${first.path}['${key}']`
    return [key, json === null ? null : readConfig(json, { ...context, path })] as const
  })
  return Object.fromEntries(configs)
}

function readEntries(data: Json, field: string, path: string): { readonly [key: string]: Json } {
  const entries = isJsonObject(data) ? (data[field] ?? {}) : {}
  return isJsonObject(entries) ? entries : rejectJson(`${path}.${field}`, 'an object', entries)
}

// A pattern that spells a parameter's own name matches no sibling of another name.
function spellsLastPart(pattern: NamePattern, name: string): boolean {
  const sibling = `${name.slice(0, name.lastIndexOf('.') + 1)}\u0001`
  return pattern.test(name) && !pattern.test(sibling)
}
