/** @file Putting tensor subclasses together from a file, in torchao's layout. */

import {
  decodeJson,
  toSnakeCase,
  type DenseTensor,
  type Json,
  type SubclassFields,
  type SubclassLayout,
  type Tensor,
  type TensorSubclassType,
  takes,
} from '@ao/base-tensor'
import { quote, reasonOf, refuse } from './errors.ts'
import { attributeCodec, type UnknownAttributes } from './flatten.ts'
import {
  findPartKey,
  partsByColon,
  PLAIN_PART,
  PLAIN_TYPE,
  readDescriptions,
  TENSOR_NAMES,
  type TensorDescription,
} from './torchao-metadata.ts'
import { metadataMap, type Metadata } from './write.ts'

/**
 * The classes that a file's tensors may be. A file cannot name any other code.
 *
 * @remarks A class whose `storedForm` is what the file holds reads it too, unless the class of that form
 * is in the list itself.
 */
export interface FormatOptions {
  /** Classes of quantized tensors that a file may hold: others are refused. */
  readonly formats: readonly TensorSubclassType[]
}

/** A state dict, and what of a file did not go into it. */
export interface UnflattenedStateDict {
  /** In the order of `tensor_names`. Tensors of which a part is missing are left out. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Dense tensors that were not used: of incomplete tensors, and those that no metadata describes. */
  readonly leftover: ReadonlyMap<string, DenseTensor>
  /** Attributes, of newer versions say, that had no meaning here. Give them to flatten to keep them. */
  readonly unknownAttributes: UnknownAttributes
}

/**
 * The state dict that was taken apart by torchao or by `flattenTensorStateDict`. Its tensors share
 * storage with `tensors`. torchao: `unflatten_tensor_state_dict`.
 *
 * @remarks A tensor whose parts are spread over files is left over until all are there: add `leftover`
 * to the tensors of the next file.
 * @throws {@link FormatError} for metadata that is not torchao's, damaged, or names a class that is not
 * in `formats`
 */
export function unflattenTensorStateDict(
  tensors: ReadonlyMap<string, DenseTensor>,
  metadata: Metadata,
  options: FormatOptions,
): UnflattenedStateDict {
  takes('o.o{formats}', tensors, metadata, options)
  const map = metadataMap(metadata)
  if (!map.has(TENSOR_NAMES)) {
    refuse(
      `metadata with ${TENSOR_NAMES}`,
      'none',
      'The file was not written by torchao: its tensors are plain, use them as they are.',
    )
  }
  const result = new Map<string, Tensor>()
  const leftover = new Map(tensors)
  const unknownAttributes = new Map<string, Readonly<Record<string, Json>>>()
  const early = partsByColon(tensors.keys())
  for (const description of readDescriptions(map, 'the metadata').values()) {
    const { name } = description
    const { keys, missing } = locateParts(description, tensors, early.get(name))
    if (missing.length > 0) continue
    const parts = new Map([...keys].map(([part, key]) => [part, tensors.get(key) as DenseTensor]))
    const built = buildTensor(description, parts, options)
    result.set(name, built.tensor)
    if (built.unknown) unknownAttributes.set(name, built.unknown)
    for (const key of keys.values()) leftover.delete(key)
  }
  return { tensors: result, leftover, unknownAttributes }
}

/** Where a tensor's parts are among a file's keys. */
export interface LocatedParts {
  /** Key by part name. */
  readonly keys: ReadonlyMap<string, string>
  /** Names of the parts that are not there. */
  readonly missing: readonly string[]
}

/** @param early - part names by its keys, for files of early torchao versions */
export function locateParts(
  description: TensorDescription,
  available: { has(key: string): boolean },
  early: readonly string[] | undefined,
): LocatedParts {
  const keys = new Map<string, string>()
  const missing: string[] = []
  for (const part of description.partNames ?? early ?? ['all parts']) {
    const key = findPartKey(description.name, part, available)
    if (key === undefined) missing.push(part)
    else keys.set(part, key)
  }
  return { keys, missing }
}

export interface BuiltTensor {
  readonly tensor: Tensor
  /** Attributes that the class does not have, as in the file. */
  readonly unknown: Readonly<Record<string, Json>> | undefined
}

/**
 * The tensor that `description` stands for.
 *
 * @param parts - all of its parts, by part name
 */
export function buildTensor(
  description: TensorDescription,
  parts: ReadonlyMap<string, DenseTensor>,
  options: FormatOptions,
): BuiltTensor {
  const { name, type } = description
  if (type === PLAIN_TYPE) {
    return { tensor: parts.get(PLAIN_PART) as DenseTensor, unknown: undefined }
  }
  const format = findFormat(description, options)
  const layout = format.storedForm ?? format
  const fields = { ...decodeAttributes(description, layout), ...nameParts(name, parts, layout) }
  const unknown = unknownAttributesOf(description, layout)
  try {
    return { tensor: makeTensor(format, fields), unknown }
  } catch (error) {
    return refuse(
      `${quote(name)} to make a valid ${type}`,
      reasonOf(error),
      'Its attributes and parts do not fit each other: write the file again.',
      error,
    )
  }
}

function makeTensor(format: TensorSubclassType, fields: SubclassFields): Tensor {
  return format.storedForm?.unflatten(fields) ?? new format(fields as never)
}

function findFormat(
  description: TensorDescription,
  { formats }: FormatOptions,
): TensorSubclassType {
  const { name, type } = description
  const nameInFiles = (format: TensorSubclassType): string =>
    (format.storedForm ?? format).formatName
  const readers = formats.filter((format) => nameInFiles(format) === type)
  const format = readers.find(({ storedForm }) => !storedForm) ?? readers[0]
  if (format) return format
  const known = formats.map(nameInFiles).join(', ')
  return refuse(
    `the class of ${quote(name)} among \`formats\` (${known || 'none'})`,
    quote(type),
    `Import ${/^\w+$/.test(type) ? type : 'that class'} from the @ao package that has it and add it to \`formats\`.`,
  )
}

function decodeAttributes(
  description: TensorDescription,
  layout: SubclassLayout,
): Record<string, unknown> {
  const { name, attributes } = description
  const fields: Record<string, unknown> = {}
  for (const field of [...layout.optionalTensorAttributeNames, ...layout.tensorAttributeNames]) {
    const key = toSnakeCase(field)
    const json = Object.hasOwn(attributes, key) ? attributes[key] : undefined
    const optional = layout.optionalTensorAttributeNames.includes(field)
    if (json === undefined && !optional) {
      refuse(`${quote(name)} to have the attribute ${key}`, 'none', MISSING)
    }
    fields[field] =
      json === undefined || (json === null && optional)
        ? undefined
        : decodeJson(attributeCodec(layout, field), json, `${quote(name)}._data.${key}`)
  }
  return fields
}

function unknownAttributesOf(
  { attributes }: TensorDescription,
  layout: SubclassLayout,
): Readonly<Record<string, Json>> | undefined {
  const known = [...layout.optionalTensorAttributeNames, ...layout.tensorAttributeNames]
  const keys = new Set(known.map(toSnakeCase))
  const unknown = Object.entries(attributes).filter(([key]) => !keys.has(key))
  return unknown.length > 0 ? Object.fromEntries(unknown) : undefined
}

/** Parts under the fields' names. A part that the class lacks could change what the tensor means. */
function nameParts(
  name: string,
  parts: ReadonlyMap<string, DenseTensor>,
  layout: SubclassLayout,
): Record<string, DenseTensor> {
  const fields: Record<string, DenseTensor> = {}
  const names = [...layout.tensorDataNames, ...layout.optionalTensorDataNames]
  for (const [part, tensor] of parts) {
    const field = names.find((candidate) => toSnakeCase(candidate) === part)
    if (field === undefined) {
      return refuse(
        `the parts of ${quote(name)} to be those of ${layout.formatName} (${names.map(toSnakeCase).join(', ')})`,
        quote(part),
        'A newer kind of file needs a newer version of that package.',
      )
    }
    fields[field] = tensor
  }
  for (const field of layout.tensorDataNames) {
    if (fields[field]) continue
    refuse(`${quote(name)} to have the part ${toSnakeCase(field)}`, 'none', MISSING)
  }
  return fields
}

const MISSING = 'The file is incomplete: write it again.'
