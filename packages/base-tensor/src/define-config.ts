/** @file defineConfig: a config class from its options, each named once. */

import { ValueError, type ErrorMaker } from './errors.ts'
import {
  decodeFields,
  encodeFields,
  isJsonObject,
  type Json,
  type JsonCodec,
  type RecordField,
  type RecordFields,
} from './json-codec.ts'
import { freezeConfig } from './printable.ts'
import type { ConfigJsonContext } from './quantization-config.ts'
import { takes } from './takes.ts'

/** One option of a config. */
export interface ConfigOption<T> {
  /**
   * How it stands in JSON; made from the context where JSON names a class that the caller lists. Needed unless
   * the definition says itself how JSON is written and read.
   */
  readonly codec?: JsonCodec<T> | ((context: ConfigJsonContext) => JsonCodec<T>)
  /** Its name in JSON; its own in snake_case unless given. */
  readonly jsonName?: string
  /** Its value where it is not given; a config checks itself for options without. */
  readonly fallback?: T
  /** What JSON without it stands for, where that is not `fallback`. */
  readonly jsonFallback?: Json
}

/** How a config class behaves. */
export interface ConfigDefinition<Options extends object> {
  /** torchao's name of the class, which is `_type` in JSON. */
  readonly name: string
  /** torchao's version of the config. */
  readonly version: number
  /** The errors of the package that the config is in. */
  readonly fail: ErrorMaker
  /** All options, in the order in which JSON has them. */
  readonly options: { readonly [K in keyof Options]-?: ConfigOption<Options[K]> }
  /** Throws for values that the config does not take. It is called before the config is frozen. */
  readonly check?: (config: Options) => void
  /** `_data` in JSON, where it is not one field an option. */
  readonly json?: {
    readonly write: (config: Options) => Json
    /** What the constructor of the class takes. */
    readonly read: (data: Json, context: ConfigJsonContext) => unknown
  }
}

/** What every config of {@link defineConfig} has, besides its options. */
export interface DefinedConfig {
  /** torchao's name of the class. */
  readonly configName: string
  /** The form of torchao's `config_to_dict`. */
  toJSON(): Json
  /** Name and fields, as in JSON. */
  toString(): string
}

/**
 * The class that {@link defineConfig} makes, for a config class to extend.
 *
 * @typeParam Options - the type of the fields
 * @typeParam Given - what the constructor takes; may be left out where nothing in it is required
 */
export interface ConfigBase<Options extends object, Given extends object = Partial<Options>> {
  new (
    ...options: Partial<Given> extends Given ? [options?: Given] : [options: Given]
  ): DefinedConfig & { readonly [K in keyof Options]: Options[K] }
  /** torchao's name of the class. */
  readonly configName: string
  /** torchao's version of the config whose JSON this class writes. */
  readonly configVersion: number
  /**
   * A config from the `_data` of its JSON.
   *
   * @throws {@link FormatError} or {@link ValueError} for fields that the config does not take
   */
  fromJSON<C>(this: new (options: never) => C, data: Json, context: ConfigJsonContext): C
}

/**
 * A config class without its behaviour, which a class that extends it adds as `quantizeTensor`:
 *
 *     const Base: ConfigBase<Options> = defineConfig<Options>({ name, version, fail, options })
 *     export class SomeConfig extends Base implements QuantizationConfig { ... }
 *
 * The constructor takes options, refuses those that it does not know, and freezes the config. Fields
 * have the names of options. `toJSON`, `fromJSON` and `toString` follow from the table of options.
 *
 * @typeParam Options - the type of the fields: all options, none missing
 */
/* @__NO_SIDE_EFFECTS__ */
export function defineConfig<Options extends object, Given extends object = Partial<Options>>(
  definition: ConfigDefinition<Options>,
): ConfigBase<Options, Given> {
  takes('o<name:x version:n fail:f options:o>', definition)
  const { name, version, options, json } = definition
  class Config {
    static readonly configName = name
    static readonly configVersion = version
    readonly configName = name

    constructor(given: Partial<Options> = {}) {
      Object.assign(this, fieldsOf(definition as never, given))
      definition.check?.(this as unknown as Options)
      freezeConfig(this)
    }

    toJSON(): Json {
      const own = this as unknown as Options
      const context = { path: 'config', configs: [], formats: [] }
      const data = json ? json.write(own) : encodeFields(recordOf(options, context), own, 'config')
      return { _type: name, _version: version, _data: data }
    }

    static fromJSON(
      this: new (options: never) => unknown,
      data: Json,
      context: ConfigJsonContext,
    ): unknown {
      takes('o<path:x configs:l formats:l>', context)
      const given = json
        ? json.read(data, context)
        : decodeFields(recordOf(options, context), withFallbacks(options, data), context.path)
      return new this(given as never)
    }
  }
  return Config as unknown as ConfigBase<Options, Given>
}

type OptionTable = Readonly<Record<string, ConfigOption<unknown>>>
type Values = Readonly<Record<string, unknown>>

/** The fields of a config that is given some options. */
function fieldsOf({ name, options, fail }: ConfigDefinition<Values>, given: Values): Values {
  const known = Object.keys(options)
  if (Object(given) !== given) throw fail(ValueError, `an object of options of ${name}`, given)
  const stray = Object.keys(given).find((key) => !known.includes(key))
  if (stray !== undefined) {
    throw fail(ValueError, `options among ${known.join(', ')}`, stray)
  }
  const fields = known.map((key) => {
    const { fallback } = (options as OptionTable)[key] as ConfigOption<unknown>
    const value = given[key] ?? fallback
    const type = typeof fallback
    const isPlain = type === 'boolean' || type === 'number' || type === 'string'
    if (isPlain && typeof value !== type) throw fail(ValueError, `a ${type} as ${key}`, value)
    return [key, value] as const
  })
  return Object.fromEntries(fields)
}

/** The options as fields of JSON. */
function recordOf<Options extends object>(
  options: ConfigDefinition<Options>['options'],
  context: ConfigJsonContext,
): RecordFields<Options> {
  const fields = Object.entries(options as OptionTable).map(([key, { codec, ...option }]) => {
    const own = typeof codec === 'function' ? codec(context) : codec
    return [key, { ...option, codec: own } as RecordField<unknown>]
  })
  return Object.fromEntries(fields) as unknown as RecordFields<Options>
}

/** `data` with what JSON that lacks an option stands for. */
function withFallbacks(options: object, data: Json): Json {
  if (!isJsonObject(data)) return data
  const missing = Object.entries(options as OptionTable).flatMap(([key, option]) =>
    option.jsonFallback === undefined ? [] : [[option.jsonName ?? key, option.jsonFallback]],
  )
  return { ...(Object.fromEntries(missing) as { [key: string]: Json }), ...data }
}
