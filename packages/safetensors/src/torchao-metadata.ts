/**
 * @file What torchao says about tensors in a file's metadata.
 *
 * `tensor_names` is the JSON list of logical names; under each of them stands a description:
 * `{"_type": "Tensor"}`, or `{"_type": class, "_data": attributes, "_tensor_data_names": parts}` for a
 * tensor subclass, whose inner tensors ("parts") lie in the file under keys made from its name.
 */

import { FormatError, isJsonObject, type Json, takes } from '@ao/base-tensor'
import { quote, refuse } from './errors.ts'
import { parseStrictJson } from './strict-json.ts'
import { metadataMap, type Metadata } from './write.ts'

export const TENSOR_NAMES = 'tensor_names'

/** `_type` of a plain tensor. */
export const PLAIN_TYPE = 'Tensor'

/** The one part of a plain tensor. */
export const PLAIN_PART = '_data'

/** A tensor as torchao's metadata describes it. */
export interface TensorDescription {
  readonly name: string
  /** The tensor's class in torchao, or `Tensor`. */
  readonly type: string
  readonly attributes: Readonly<Record<string, Json>>
  /** Absent in files of early torchao versions. */
  readonly partNames: readonly string[] | undefined
  /** The JSON text itself. */
  readonly text: string
}

/**
 * Whether tensors in a file with this metadata are torchao's.
 *
 * torchao: `is_metadata_torchao`. Any class name counts here, as formats are not known yet.
 */
export function isMetadataTorchao(metadata: Metadata): boolean {
  try {
    return readDescriptions(metadataMap(metadata), 'the metadata').size > 0
  } catch (error) {
    if (FormatError.isInstance(error)) return false
    throw error
  }
}

/**
 * All descriptions, by logical name; none for metadata without `tensor_names`.
 *
 * @param where - what messages call the file
 * @throws {@link FormatError} for metadata that has `tensor_names` and is not as torchao writes it
 */
export function readDescriptions(
  metadata: ReadonlyMap<string, string>,
  where: string,
): Map<string, TensorDescription> {
  const descriptions = new Map<string, TensorDescription>()
  for (const name of readTensorNames(metadata, where)) {
    const text = metadata.get(name)
    if (text === undefined) {
      refuse(`metadata of ${quote(name)} in ${where}`, 'none', `${TENSOR_NAMES} lists that tensor.`)
    }
    descriptions.set(
      name,
      parseDescription(name, text, `the metadata of ${quote(name)} in ${where}`),
    )
  }
  return descriptions
}

/** Logical names in the order of the state dict that was saved; empty for other files. */
export function readTensorNames(
  metadata: ReadonlyMap<string, string>,
  where: string,
): readonly string[] {
  const text = metadata.get(TENSOR_NAMES)
  if (text === undefined) return []
  const what = `${TENSOR_NAMES} of ${where}`
  const names = parseStrictJson(text, what)
  return isStrings(names) ? names : refuse(`${what} to be a list of strings`, quote(text), DAMAGED)
}

function parseDescription(name: string, text: string, what: string): TensorDescription {
  const json = parseStrictJson(text, what)
  if (!isJsonObject(json) || typeof json['_type'] !== 'string') {
    return refuse(`${what} to be an object with \`_type\``, quote(json), DAMAGED)
  }
  const type = json['_type']
  if (type === PLAIN_TYPE) return { name, type, attributes: {}, partNames: [PLAIN_PART], text }
  const attributes = json['_data']
  if (!isJsonObject(attributes)) {
    return refuse(`\`_data\` in ${what} to be an object`, quote(attributes), DAMAGED)
  }
  const partNames = json['_tensor_data_names']
  if (partNames !== undefined && !isStrings(partNames)) {
    return refuse(`\`_tensor_data_names\` in ${what} to be strings`, quote(partNames), DAMAGED)
  }
  return { name, type, attributes, partNames, text }
}

function isStrings(json: Json): json is readonly string[] {
  return Array.isArray(json) && json.every((entry) => typeof entry === 'string')
}

const DAMAGED = 'The metadata is damaged: write the file again.'

/**
 * The key of one part of a subclass tensor: `layers.0.weight` and `qdata` give `layers.0._weight_qdata`.
 *
 * @throws {@link FormatError} for names without a dot, which torchao has no keys for
 */
export function partKey(name: string, part: string): string {
  takes('xx', name, part)
  const dot = name.lastIndexOf('.')
  if (dot < 0) {
    refuse(
      'the name of a quantized tensor to have a dot',
      quote(name),
      'Name it after its module and parameter, such as `linear.weight`.',
    )
  }
  return `${name.slice(0, dot)}._${name.slice(dot + 1)}_${part}`
}

/**
 * The key under which a file has a part: the current one, or one of those of early torchao versions
 * (`layers.0.weight_qdata`, `layers.0.weight:qdata`, and `layers.0.bias:_data` for plain tensors).
 *
 * Keys are looked up whole, since as prefixes `_weight_` and `_weight_2_` could not be told apart.
 */
export function findPartKey(
  name: string,
  part: string,
  keys: { has(key: string): boolean },
): string | undefined {
  const candidates = part === PLAIN_PART ? [name] : [`${name}_${part}`]
  if (part !== PLAIN_PART && name.includes('.')) candidates.unshift(partKey(name, part))
  candidates.push(`${name}:${part}`)
  return candidates.find((key) => keys.has(key))
}

/** Parts by logical name, as keys of early torchao versions tell them: `layers.0.weight:qdata`. */
export function partsByColon(keys: Iterable<string>): ReadonlyMap<string, readonly string[]> {
  const parts = new Map<string, string[]>()
  for (const key of keys) {
    const colon = key.lastIndexOf(':')
    if (colon < 0) continue
    const name = key.slice(0, colon)
    const list = parts.get(name)
    if (list) list.push(key.slice(colon + 1))
    else parts.set(name, [key.slice(colon + 1)])
  }
  return parts
}
