/**
 * @file Codecs between values and torchao's JSON.
 *
 * torchao writes two dialects: tensor metadata in checkpoint files, and config JSON, which also carries
 * `_version` on every record. A codec checks what it reads: files are hostile until proven otherwise.
 */

import { isDType, type DType } from './dtype.ts'
import { FormatError } from './errors.ts'

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** `metadata`: as in checkpoint files. `config`: as `config_to_dict`, with versions. */
export type JsonDialect = 'metadata' | 'config'

export interface JsonCodec<T> {
  encode(value: T, dialect: JsonDialect): Json
  /**
   * @param path - where the JSON stands, for messages
   * @throws {@link FormatError}
   */
  decode(json: Json, path: string): T
}

/** @throws {@link FormatError} always: `path` holds something else than `expected` */
export function rejectJson(path: string, expected: string, json: unknown, cure?: string): never {
  throw new FormatError({
    package: '@ao/base-tensor',
    expected: `${path} to be ${expected}`,
    got: describeJson(json),
    ...(cure === undefined ? {} : { cure }),
  })
}

function describeJson(json: unknown): string {
  if (Array.isArray(json) && json.length > 16) return `a list of ${json.length}`
  let text: string
  try {
    text = JSON.stringify(json) ?? 'nothing'
  } catch {
    return 'JSON that nests too deep to show'
  }
  return text.length > 120 ? `${text.slice(0, 120)}...` : text
}

function plain<T extends Json>(expected: string, accepts: (json: Json) => boolean): JsonCodec<T> {
  return {
    encode: (value) => value,
    decode: (json, path) => (accepts(json) ? (json as T) : rejectJson(path, expected, json)),
  }
}

export const booleanCodec: JsonCodec<boolean> = /* @__PURE__ */ plain(
  'true or false',
  (json) => typeof json === 'boolean',
)

export const numberCodec: JsonCodec<number> = /* @__PURE__ */ plain('a finite number', (json) =>
  Number.isFinite(json),
)

export const integerCodec: JsonCodec<number> = /* @__PURE__ */ plain('an integer', (json) =>
  Number.isSafeInteger(json),
)

export const stringCodec: JsonCodec<string> = /* @__PURE__ */ plain(
  'a string',
  (json) => typeof json === 'string',
)

/** A list, such as a block size or a shape. */
/* @__NO_SIDE_EFFECTS__ */
export function listCodec<T>(item: JsonCodec<T>): JsonCodec<readonly T[]> {
  return {
    encode: (value, dialect) => value.map((entry) => item.encode(entry, dialect)),
    decode: (json, path) =>
      Array.isArray(json)
        ? json.map((entry, i) => item.decode(entry as Json, `${path}[${i}]`))
        : rejectJson(path, 'a list', json),
  }
}

/** A value that may be absent: `undefined` here, `null` in JSON. */
/* @__NO_SIDE_EFFECTS__ */
export function optionalCodec<T>(codec: JsonCodec<T>): JsonCodec<T | undefined> {
  return {
    encode: (value, dialect) => (value === undefined ? null : codec.encode(value, dialect)),
    decode: (json, path) => (json === null ? undefined : codec.decode(json, path)),
  }
}

/**
 * A Python enum, written by member name: `{"_type": "MappingType", "_data": "SYMMETRIC"}`. A bare string
 * is read too: configs keep an enum that was given as a string.
 */
/* @__NO_SIDE_EFFECTS__ */
export function enumCodec<Name extends string>(
  typeName: string,
  names: readonly Name[],
): JsonCodec<Name> {
  return {
    encode: (value) => ({ _type: typeName, _data: value }),
    decode: (json, path) => {
      const name = typeof json === 'string' ? json : readTagged(json, path, typeName)
      return names.includes(name as Name)
        ? (name as Name)
        : rejectJson(path, `one of ${names.join(', ')}`, name)
    },
  }
}

/** A dtype: `{"_type": "torch.dtype", "_data": "bfloat16"}`. */
export const dtypeCodec: JsonCodec<DType> = {
  encode: (value) => ({ _type: 'torch.dtype', _data: value }),
  decode: (json, path) => {
    const name = readTagged(json, path, 'torch.dtype')
    return isDType(name) ? name : rejectJson(path, 'a dtype', name)
  },
}

/** {@link dtypeCodec} for the dtypes of which a tensor can be. */
/* @__NO_SIDE_EFFECTS__ */
export function narrowDTypeCodec<D extends DType>(
  accepts: (dtype: DType) => dtype is D,
): JsonCodec<D> {
  return {
    encode: dtypeCodec.encode,
    decode: (json, path) => {
      const dtype = dtypeCodec.decode(json, path)
      return accepts(dtype) ? dtype : rejectJson(path, 'a dtype that a tensor can have', dtype)
    },
  }
}

/** One field of a record: its name in JSON, its codec, and its value where an old file lacks it. */
export interface RecordField<T> {
  readonly jsonName: string
  readonly codec: JsonCodec<T>
  readonly fallback?: T
}

/** The fields of a record type, in the order in which they are written. */
export type RecordFields<T> = { readonly [K in keyof T]-?: RecordField<T[K]> }

/**
 * A Python dataclass: `{"_type": typeName, "_data": {...}}`, with `"_version": 1` in config JSON.
 *
 * @param build - makes the value from its decoded fields; may throw for bad combinations
 */
/* @__NO_SIDE_EFFECTS__ */
export function recordCodec<T extends object>(
  typeName: string,
  fields: RecordFields<T>,
  build: (values: T) => T = (values) => Object.freeze(values),
): JsonCodec<T> {
  return {
    encode: (value, dialect) => ({
      _type: typeName,
      ...(dialect === 'config' ? { _version: 1 } : {}),
      _data: encodeFields(fields, value, dialect),
    }),
    decode: (json, path) => build(decodeFields(fields, readTagged(json, path, typeName), path)),
  }
}

/** The JSON object of `values`, under the fields' JSON names. */
export function encodeFields<T extends object>(
  fields: RecordFields<T>,
  values: T,
  dialect: JsonDialect,
): { [key: string]: Json } {
  const out: { [key: string]: Json } = {}
  for (const key of Object.keys(fields) as (keyof T & string)[]) {
    out[fields[key].jsonName] = fields[key].codec.encode(values[key], dialect)
  }
  return out
}

/** The values of a JSON object; unknown keys are ignored, missing ones take their fallback. */
export function decodeFields<T extends object>(
  fields: RecordFields<T>,
  json: Json,
  path: string,
): T {
  if (!isJsonObject(json)) return rejectJson(path, 'an object', json)
  const out: Partial<T> = {}
  for (const key of Object.keys(fields) as (keyof T & string)[]) {
    const field = fields[key]
    const value = Object.hasOwn(json, field.jsonName) ? json[field.jsonName] : undefined
    if (value !== undefined) out[key] = field.codec.decode(value, `${path}.${field.jsonName}`)
    else if ('fallback' in field) out[key] = field.fallback as T[typeof key]
    else rejectJson(`${path}.${field.jsonName}`, 'present', undefined)
  }
  return out as T
}

export function isJsonObject(json: unknown): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The `_type` of a tagged value. */
export function jsonType(json: Json, path: string): string {
  const type = isJsonObject(json) ? json['_type'] : undefined
  return typeof type === 'string' ? type : rejectJson(path, 'an object with `_type`', json)
}

function readTagged(json: Json, path: string, typeName: string): Json {
  const type = jsonType(json, path)
  if (type !== typeName) rejectJson(path, `of type ${typeName}`, type)
  const data = (json as { readonly [key: string]: Json })['_data']
  return data === undefined ? rejectJson(path, 'an object with `_data`', json) : data
}

/** `actQuantKwargs` as Python spells it: `act_quant_kwargs`. */
export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
