/**
 * @file Codecs between values and torchao's JSON.
 *
 * torchao writes two dialects: tensor metadata in checkpoint files, and config JSON, which also carries
 * `_version` on every record. Reading checks everything: files are hostile until proven otherwise.
 *
 * A codec is plain data, which {@link encodeJson} and {@link decodeJson} interpret. So a format can say
 * how its attributes stand in files, and a bundle that opens no files has none of the code that reads.
 */

import { takes } from './takes.ts'
import { isDType, type DType } from './dtype.ts'
import { fail, FormatError } from './errors.ts'

/** A value that JSON can hold. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** `metadata`: as in checkpoint files. `config`: as `config_to_dict`, with versions. */
export type JsonDialect = 'metadata' | 'config'

/** How values of type T stand in JSON: a description made by the functions below, or methods. */
export type JsonCodec<T> = JsonDescription<T> | JsonMethods<T>

/** What the functions below make. */
export interface JsonDescription<T> {
  readonly kind: Description['kind']
  /** Never there; it keeps codecs of different types apart. */
  readonly valueType?: T
}

/** A codec for what no description fits. */
export interface JsonMethods<T> {
  encode(value: T, dialect: JsonDialect): Json
  /**
   * @param path - where the JSON stands, for messages
   * @throws {@link FormatError}
   */
  decode(json: Json, path: string): T
}

type Description =
  | { readonly kind: PlainKind }
  | { readonly kind: 'list' | 'optional'; readonly item: AnyCodec }
  | { readonly kind: 'enum'; readonly typeName: string; readonly names: readonly string[] }
  | { readonly kind: 'dtype'; readonly accepts?: (dtype: DType) => boolean }
  | {
      readonly kind: 'record'
      readonly typeName: string
      readonly fields: AnyFields
      readonly build: ((values: object) => unknown) | undefined
    }
  | { readonly kind: 'union'; readonly members: Readonly<Record<string, AnyFields>> }
type AnyCodec = Description | (JsonMethods<unknown> & { readonly kind?: undefined })
type AnyFields = RecordFields<Record<string, unknown>>

/** True or false. */
export const booleanCodec: JsonCodec<boolean> = { kind: 'boolean' }
/** A finite number. */
export const numberCodec: JsonCodec<number> = { kind: 'number' }
/** An integer that a JavaScript number holds exactly. */
export const integerCodec: JsonCodec<number> = { kind: 'integer' }
/** An integer of at least 1, such as a group size. */
export const positiveIntegerCodec: JsonCodec<number> = { kind: 'positiveInteger' }
/** A string. */
export const stringCodec: JsonCodec<string> = { kind: 'string' }

/** A dtype: `{"_type": "torch.dtype", "_data": "bfloat16"}`. */
export const dtypeCodec: JsonCodec<DType> = { kind: 'dtype' }

/** {@link dtypeCodec} for the dtypes of which a tensor can be. */
/* @__NO_SIDE_EFFECTS__ */
export function narrowDTypeCodec<D extends DType>(
  accepts: (dtype: DType) => dtype is D,
): JsonCodec<D> {
  takes('f', accepts)
  return describe({ kind: 'dtype', accepts })
}

/** A list, such as a block size or a shape; frozen when it is read. */
/* @__NO_SIDE_EFFECTS__ */
export function listCodec<T>(item: JsonCodec<T>): JsonCodec<readonly T[]> {
  return describe({ kind: 'list', item: item as AnyCodec })
}

/** A value that may be absent: `undefined` here, `null` in JSON. */
/* @__NO_SIDE_EFFECTS__ */
export function optionalCodec<T>(item: JsonCodec<T>): JsonCodec<T | undefined> {
  return describe({ kind: 'optional', item: item as AnyCodec })
}

/**
 * A Python enum, written by member name: `{"_type": "MappingType", "_data": "SYMMETRIC"}`. A bare string
 * is read too, in any case: configs keep an enum that was given as a string, and such values are lower
 * case.
 */
/* @__NO_SIDE_EFFECTS__ */
export function enumCodec<Name extends string>(
  typeName: string,
  names: readonly Name[],
): JsonCodec<Name> {
  takes('xl', typeName, names)
  return describe({ kind: 'enum', typeName, names })
}

/** One field of a record. */
export interface RecordField<T> {
  readonly codec: JsonCodec<T>
  /** Its name in JSON; its own in snake_case unless given. */
  readonly jsonName?: string
  /** Its value where an old file lacks it. */
  readonly fallback?: T
}

/** The fields of a record type, in the order in which they are written. */
export type RecordFields<T> = { readonly [K in keyof T]-?: RecordField<T[K]> }

/**
 * A Python dataclass: `{"_type": typeName, "_data": {...}}`, with `"_version": 1` in config JSON.
 *
 * @param build - makes the value from its decoded fields; may throw for bad combinations. Frozen as they
 * are unless given.
 */
/* @__NO_SIDE_EFFECTS__ */
export function recordCodec<T extends object, V extends T = T>(
  typeName: string,
  fields: RecordFields<T>,
  build?: (values: T) => V,
): JsonCodec<V> {
  takes('xof?', typeName, fields, build)
  return describe({ kind: 'record', typeName, fields: fields as AnyFields, build: build as never })
}

/**
 * One of several dataclasses, told apart by `type`, which is `_type` in JSON: `{type: 'PerAxis', axis: 0}`
 * is `{"_type": "PerAxis", "_data": {"axis": 0}}`. Frozen when it is read.
 */
/* @__NO_SIDE_EFFECTS__ */
export function unionCodec<T extends { readonly type: string }>(members: {
  readonly [M in T as M['type']]: RecordFields<Omit<M, 'type'>>
}): JsonCodec<T> {
  takes('o', members)
  return describe({ kind: 'union', members: members as Readonly<Record<string, AnyFields>> })
}

function describe<T>(description: Description): JsonDescription<T> {
  return description
}

type PlainKind = 'boolean' | 'number' | 'integer' | 'positiveInteger' | 'string'

/** Values that are the same in JSON: how a message calls them, and whether something is one. */
const PLAIN: Readonly<Record<PlainKind, readonly [string, (json: unknown) => boolean]>> = {
  boolean: ['true or false', (json) => typeof json === 'boolean'],
  number: ['a finite number', (json) => Number.isFinite(json)],
  integer: ['an integer', (json) => Number.isSafeInteger(json)],
  positiveInteger: ['a positive integer', (json) => Number.isSafeInteger(json) && Number(json) > 0],
  string: ['a string', (json) => typeof json === 'string'],
}

/** `value` in torchao's JSON. */
export function encodeJson<T>(codec: JsonCodec<T>, value: T, dialect: JsonDialect): Json {
  takes('..x', codec, value, dialect)
  return encode(codec as AnyCodec, value, dialect)
}

function encode(codec: AnyCodec, value: unknown, dialect: JsonDialect): Json {
  switch (codec.kind) {
    case undefined:
      takes('f', codec.encode)
      return codec.encode(value, dialect)
    case 'list':
      return (value as readonly unknown[]).map((entry) => encode(codec.item, entry, dialect))
    case 'optional':
      return value === undefined ? null : encode(codec.item, value, dialect)
    case 'enum':
      return { _type: codec.typeName, _data: value as string }
    case 'dtype':
      return { _type: 'torch.dtype', _data: value as DType }
    case 'record':
      return encodeRecord(codec.typeName, codec.fields, value as object, dialect)
    case 'union': {
      const { type } = value as { readonly type: string }
      return encodeRecord(type, codec.members[type] as AnyFields, value as object, dialect)
    }
    default:
      return value as Json
  }
}

function encodeRecord(
  typeName: string,
  fields: AnyFields,
  values: object,
  dialect: JsonDialect,
): Json {
  return {
    _type: typeName,
    ...(dialect === 'config' ? { _version: 1 } : {}),
    _data: encodeFields<object>(fields, values, dialect),
  }
}

/** The JSON object of `values`, under the fields' JSON names. */
export function encodeFields<T extends object>(
  fields: RecordFields<T>,
  values: T,
  dialect: JsonDialect,
): { [key: string]: Json } {
  checkFields(fields)
  takes('.x', values, dialect)
  const out: { [key: string]: Json } = {}
  for (const key of Object.keys(fields) as (keyof T & string)[]) {
    out[jsonNameOf(key, fields[key])] = encodeJson(fields[key].codec, values[key], dialect)
  }
  return out
}

function checkFields(fields: object): void {
  takes('o', fields)
  for (const field of Object.values(fields)) takes('o<codec:o>', field)
}

function jsonNameOf(key: string, field: { readonly jsonName?: string }): string {
  return field.jsonName ?? toSnakeCase(key)
}

/**
 * The value that `json` stands for.
 *
 * @param path - where the JSON stands, for messages
 * @throws {@link FormatError} when it is something else than the codec says
 */
export function decodeJson<T>(codec: JsonCodec<T>, json: Json, path: string): T {
  takes('..x', codec, json, path)
  return decode(codec as AnyCodec, json, path) as T
}

function decode(codec: AnyCodec, json: Json, path: string, isStrict?: boolean): unknown {
  switch (codec.kind) {
    case undefined:
      takes('f', codec.decode)
      return codec.decode(json, path)
    case 'list': {
      const list = Array.isArray(json)
        ? (json as readonly Json[])
        : rejectJson(path, 'a list', json)
      return Object.freeze(
        list.map((entry, i) => decode(codec.item, entry, `${path}[${i}]`, isStrict)),
      )
    }
    case 'optional':
      return json === null ? undefined : decode(codec.item, json, path, isStrict)
    case 'enum': {
      const isBare = typeof json === 'string'
      const name = isBare ? json : readTagged(json, path, codec.typeName)
      const member = isBare ? json.toUpperCase() : name
      return codec.names.includes(member as string)
        ? member
        : rejectJson(path, `one of ${codec.names.join(', ')}`, name)
    }
    case 'dtype': {
      const name = readTagged(json, path, 'torch.dtype')
      if (!isDType(name)) return rejectJson(path, 'a dtype', name)
      const fits = codec.accepts?.(name) ?? true
      return fits ? name : rejectJson(path, 'a dtype that a tensor can have', name)
    }
    case 'record': {
      const data = readTagged(json, path, codec.typeName)
      const values = readFields<object>(codec.fields, data, path, isStrict)
      return codec.build ? codec.build(values) : Object.freeze(values)
    }
    case 'union': {
      const type = jsonType(json, path)
      const { members } = codec
      if (!Object.hasOwn(members, type)) {
        return rejectJson(path, `one of ${Object.keys(members).join(', ')}`, type)
      }
      const fields = members[type] as AnyFields
      return Object.freeze({
        type,
        ...readFields(fields, readTagged(json, path, type), path, isStrict),
      })
    }
    default: {
      const [expected, accepts] = PLAIN[codec.kind]
      return accepts(json) ? json : rejectJson(path, expected, json)
    }
  }
}

/**
 * The values of a JSON object, such as a config; missing keys take their fallback.
 *
 * @throws {@link FormatError} for a value that is something else than its field says, and for a key that
 * no field has, here and in the records below
 */
export function decodeFields<T extends object>(
  fields: RecordFields<T>,
  json: Json,
  path: string,
): T {
  takes('x', path)
  return readFields(fields, json, path, true)
}

// Tensors' attributes may have keys that newer writers add; a key that a config does not know is a slip.
function readFields<T extends object>(
  fields: RecordFields<T>,
  json: Json,
  path: string,
  isStrict?: boolean,
): T {
  checkFields(fields)
  if (!isJsonObject(json)) return rejectJson(path, 'an object', json)
  const out: Partial<T> = {}
  const names = new Set<string>()
  for (const key of Object.keys(fields) as (keyof T & string)[]) {
    const field = fields[key]
    const name = jsonNameOf(key, field)
    names.add(name)
    const value = Object.hasOwn(json, name) ? json[name] : undefined
    if (value !== undefined) {
      out[key] = decode(
        field.codec as AnyCodec,
        value,
        `${path}.${name}`,
        isStrict,
      ) as T[typeof key]
    } else if ('fallback' in field) out[key] = field.fallback as T[typeof key]
    else rejectJson(`${path}.${name}`, 'present', undefined)
  }
  const stray = isStrict && Object.keys(json).find((key) => !names.has(key))
  if (typeof stray === 'string') {
    throw fail(
      FormatError,
      `${path} to have ${[...names].join(', ') || 'no fields'}, and no other`,
      stray,
    )
  }
  return out as T
}

/** Whether `json` is an object: no list, and not null. */
export function isJsonObject(json: unknown): json is { readonly [key: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The `_type` of a tagged value. */
export function jsonType(json: Json, path: string): string {
  takes('.x', json, path)
  const type = isJsonObject(json) ? json['_type'] : undefined
  return typeof type === 'string' ? type : rejectJson(path, 'an object with `_type`', json)
}

function readTagged(json: Json, path: string, typeName: string): Json {
  const type = jsonType(json, path)
  if (type !== typeName) rejectJson(path, `of type ${typeName}`, type)
  const data = (json as { readonly [key: string]: Json })['_data']
  return data === undefined ? rejectJson(path, 'an object with `_data`', json) : data
}

/**
 * Refuses what JSON holds at `path`, in the words of all codecs.
 *
 * @throws {@link FormatError} always: `path` holds something else than `expected`
 */
export function rejectJson(path: string, expected: string, json: unknown, cure?: string): never {
  takes('xx.x?', path, expected, json, cure)
  throw fail(FormatError, `${path} to be ${expected}`, describeJson(json), cure)
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

/** `actQuantKwargs` as Python spells it: `act_quant_kwargs`. */
export function toSnakeCase(name: string): string {
  takes('x', name)
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
