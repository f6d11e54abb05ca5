/** @file Taking tensor subclasses apart for a file, in torchao's layout. */

import { entriesOf } from './entries.ts'
import {
  asDense,
  encodeJson,
  isTensorSubclass,
  toSnakeCase,
  type DenseTensor,
  type FlattenedTensor,
  type Json,
  type SubclassLayout,
  type Tensor,
  type TensorSubclassType,
  takes,
} from '@ao/base-tensor'
import { quote, refuse } from './errors.ts'
import { pythonJson } from './python-json.ts'
import { partKey, PLAIN_TYPE, TENSOR_NAMES } from './torchao-metadata.ts'

/** Attributes by tensor name that a format does not know: see `unflattenTensorStateDict`. */
export type UnknownAttributes = ReadonlyMap<string, Readonly<Record<string, Json>>>

/** A state dict as a file holds it. */
export interface FlattenedStateDict {
  /** Dense tensors under their keys in the file. They share storage with what was given. */
  readonly tensors: ReadonlyMap<string, DenseTensor>
  readonly metadata: ReadonlyMap<string, string>
}

/**
 * Dense tensors and metadata from which torchao, and `unflattenTensorStateDict`, make the state dict
 * again. torchao: `flatten_tensor_state_dict`.
 *
 * @throws {@link FormatError} for names that come twice, and for quantized tensors without a dot in
 * their name
 */
export function flattenTensorStateDict(
  entries: Iterable<readonly [name: string, tensor: Tensor]>,
  options: { readonly unknownAttributes?: UnknownAttributes } = {},
): FlattenedStateDict {
  // A result of unflattenTensorStateDict may be passed as it is.
  takes('oo{unknownAttributes tensors leftover}?', entries, options)
  const tensors = new Map<string, DenseTensor>()
  const metadata = new Map<string, string>()
  for (const [name, tensor] of entriesOf(entries)) {
    const { parts, description } = flattenTensor(name, tensor, options.unknownAttributes?.get(name))
    if (metadata.has(name)) refuseTwice(name)
    metadata.set(name, description)
    for (const [key, part] of parts) {
      if (tensors.has(key)) refuseTwice(key)
      tensors.set(key, part)
    }
  }
  metadata.set(TENSOR_NAMES, pythonJson([...metadata.keys()]))
  return { tensors, metadata }
}

/** One tensor's part of {@link flattenTensorStateDict}. */
export interface FlattenedEntry {
  /** By key. */
  readonly parts: ReadonlyMap<string, DenseTensor>
  /** The JSON that stands under the tensor's name in the metadata. */
  readonly description: string
}

export function flattenTensor(
  name: string,
  tensor: Tensor,
  unknownAttributes: Readonly<Record<string, Json>> = {},
): FlattenedEntry {
  if (!isTensorSubclass(tensor)) {
    return { parts: new Map([[name, asDense(tensor)]]), description: describe(PLAIN_TYPE) }
  }
  const type = tensor.constructor as unknown as TensorSubclassType
  const layout = type.storedForm ?? type
  const { tensors, attributes } = type.storedForm?.flatten(tensor) ?? tensor.flatten()
  const parts = new Map<string, DenseTensor>()
  for (const [field, part] of Object.entries(tensors)) {
    parts.set(partKey(name, toSnakeCase(field)), asDense(part, `${field} of ${name}`))
  }
  const data = { ...encodeAttributes(layout, attributes), ...unknownAttributes }
  return { parts, description: describe(layout.formatName, data, presentParts(layout, tensors)) }
}

function encodeAttributes(
  layout: SubclassLayout,
  attributes: Readonly<Record<string, unknown>>,
): Record<string, Json> {
  const json: Record<string, Json> = {}
  for (const name of [...layout.optionalTensorAttributeNames, ...layout.tensorAttributeNames]) {
    const value = attributes[name]
    json[toSnakeCase(name)] =
      value === undefined ? null : encodeJson(attributeCodec(layout, name), value, 'metadata')
  }
  return json
}

/** Names of the parts that are there; the optional ones come first, as in torchao. */
function presentParts(layout: SubclassLayout, tensors: FlattenedTensor['tensors']): string[] {
  const names = [...layout.optionalTensorDataNames, ...layout.tensorDataNames]
  return names.filter((name) => Object.hasOwn(tensors, name)).map(toSnakeCase)
}

/** A tensor's description, as torchao spells it. */
export function describe(
  type: string,
  data?: Readonly<Record<string, Json>>,
  partNames?: readonly string[],
): string {
  return pythonJson({
    _type: type,
    ...(data && { _data: data }),
    ...(partNames && { _tensor_data_names: partNames }),
  })
}

/** @throws {@link FormatError} when the class has none, which is a mistake in the class */
export function attributeCodec(
  layout: SubclassLayout,
  name: string,
): SubclassLayout['attributeCodecs'][string] {
  const { formatName, attributeCodecs } = layout
  const codec = Object.hasOwn(attributeCodecs, name) ? attributeCodecs[name] : undefined
  return (
    codec ??
    refuse(
      `${formatName}.attributeCodecs to have ${name}`,
      'none',
      'Each attribute that the class lists needs one.',
    )
  )
}

function refuseTwice(name: string): never {
  refuse('tensors with names of their own', `${quote(name)} twice`, 'Rename one of them.')
}
