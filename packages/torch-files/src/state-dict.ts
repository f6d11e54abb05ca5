/** @file Finding the state dict in what a file holds, and saying what its tensors are, as safetensors do. */

import type { Json } from '@ao/base-tensor'
import { partKey, pythonJson, type CheckpointNote } from '@ao/safetensors'
import { AttributeWriter } from './attributes.ts'
import { DAMAGED, quote, refuse } from './errors.ts'
import { MAX_METADATA, MAX_PARTS } from './limits.ts'
import { toToday } from './older-classes.ts'
import { describeValue, PickleDict } from './pickle.ts'
import { TENSOR_CLASSES } from './torchao-names.ts'
import { AoTensor, isPart, TorchTensor, type Part } from './values.ts'

type Tensors = ReadonlyMap<string, TorchTensor | AoTensor>

/** A state dict, taken apart as torchao takes it apart for safetensors. */
export interface TakenApart {
  /** Parts by their keys. */
  readonly parts: ReadonlyMap<string, Part>
  /** The tensor that each key is a part of. */
  readonly nameOf: ReadonlyMap<string, string>
  readonly metadata: ReadonlyMap<string, string>
  readonly notes: readonly CheckpointNote[]
}

/**
 * The tensors of a state dict.
 *
 * @param key - under which a training checkpoint has it; found by itself where there is one
 * @param what - the file's name in messages
 */
export function findStateDict(
  value: unknown,
  key: string | undefined,
  what: string,
  note: (note: CheckpointNote) => void,
): Tensors {
  const top = dictOf(value, `a state dict in ${what}`)
  if (key !== undefined) {
    return tensorsOf(
      dictOf(top.get(key), `a state dict under ${quote(key)} in ${what}`),
      what,
      note,
    )
  }
  if ([...top.values()].some(isTensor)) return tensorsOf(top, what, note)
  const inner = [...top].flatMap(([name, entry]) => {
    const dict = entry instanceof PickleDict ? entry.byText() : undefined
    return dict && [...dict.values()].some(isTensor) ? [[name, dict] as const] : []
  })
  const [first, second] = inner
  if (first && !second) return tensorsOf(first[1], what, note)
  if (!second)
    return refuse(
      `tensors in the state dict of ${what}`,
      'none',
      'It may be another file of the model.',
    )
  const names = inner.map(([name]) => quote(name)).join(', ')
  return refuse(
    `one state dict in ${what}`,
    `several: ${names}`,
    'Choose one: torchFilesWith({ stateDict }), or --state-dict of ao.',
  )
}

function dictOf(value: unknown, expected: string): ReadonlyMap<string, unknown> {
  if (value instanceof PickleDict) return value.byText()
  return refuse(expected, describeValue(value), 'Save one: torch.save(model.state_dict(), path).')
}

function isTensor(value: unknown): value is TorchTensor | AoTensor {
  return value instanceof TorchTensor || value instanceof AoTensor
}

function tensorsOf(
  dict: ReadonlyMap<string, unknown>,
  what: string,
  note: (note: CheckpointNote) => void,
): Tensors {
  const tensors = new Map<string, TorchTensor | AoTensor>()
  const others: string[] = []
  for (const [name, value] of dict) {
    if (isTensor(value)) tensors.set(name, value)
    else others.push(name)
  }
  if (tensors.size === 0) refuse(`tensors in the state dict of ${what}`, 'none', DAMAGED)
  const [name] = others
  if (name !== undefined) {
    const message = `${some(others)} in ${what} hold no tensor: left out.`
    note({ kind: 'left-out', name, message })
  }
  return tensors
}

/** The first names of a list, and how many more there are. */
function some(names: readonly string[]): string {
  const more = names.length - 3
  return names.slice(0, 3).map(quote).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/**
 * Takes tensors apart into dense ones, with torchao's metadata where any is quantized.
 *
 * @throws {@link FormatError} for attributes that metadata cannot hold, older classes that none of today has
 * the bits of, and names that come twice
 */
export function takeApart(tensors: Tensors): TakenApart {
  const parts = new Map<string, Part>()
  const nameOf = new Map<string, string>()
  const descriptions = new Map<string, string>()
  const older = new Map<string, string[]>()
  const add = (key: string, name: string, part: Part): void => {
    if (parts.has(key)) refuse('tensors with names of their own', `${quote(key)} twice`, DAMAGED)
    parts.set(key, part)
    nameOf.set(key, name)
    if (parts.size > MAX_PARTS) refuse(`at most ${MAX_PARTS} tensors in a file`, 'more', SPLIT)
  }
  let isQuantized = false
  let metadataLength = 0
  for (const [name, tensor] of tensors) {
    if (tensor instanceof TorchTensor) {
      add(name, name, tensor)
      descriptions.set(name, PLAIN)
      continue
    }
    isQuantized = true
    const { tensor: today, was } = toToday(tensor, quote(name))
    if (was !== undefined && older.get(was)?.push(name) === undefined) older.set(was, [name])
    const described = describe(today, name)
    descriptions.set(name, described.text)
    metadataLength += described.text.length
    if (metadataLength > MAX_METADATA)
      refuse(`attributes of ${MAX_METADATA} characters at most`, 'more', SPLIT)
    for (const [part, value] of described.parts) add(keyOf(name, part), name, value)
  }
  return {
    ...{ parts, nameOf },
    metadata: isQuantized ? metadataOf(descriptions) : new Map(),
    notes: [...older].map(([was, names]) => ({
      kind: 'converted',
      name: names[0] as string,
      message: `${was}: ${some(names)}.`,
    })),
  }
}

/** As torchao names parts; a name without a module has no such key, and one of early versions. */
function keyOf(name: string, part: string): string {
  return name.includes('.') ? partKey(name, part) : `${name}_${part}`
}

interface Described {
  readonly text: string
  readonly parts: ReadonlyMap<string, Part>
}

/** What torchao's metadata says of a tensor. */
function describe({ type, dtype, shape, state }: AoTensor, name: string): Described {
  const layout = TENSOR_CLASSES[type.name]
  const own = new Map(state)
  for (const field of layout?.attributes ?? []) {
    if (own.has(field)) continue
    own.set(field, field === 'dtype' ? dtype : field === 'shape' ? shape : null)
  }
  const inOrder = [
    ...new Set([...(layout?.parts ?? []), ...(layout?.attributes ?? []), ...own.keys()]),
  ]
  const parts = new Map<string, Part>()
  const data: [string, Json][] = []
  const writer = new AttributeWriter()
  for (const field of inOrder) {
    const value = own.get(field)
    if (isPart(value)) parts.set(field, value)
    else if (value !== undefined && !(value === null && layout?.parts.includes(field))) {
      data.push([field, writer.json(value, `${field} of ${quote(name)}`)])
    }
  }
  const json = {
    _type: type.name,
    _data: Object.fromEntries(data),
    _tensor_data_names: [...parts.keys()],
  }
  return { text: pythonJson(json), parts }
}

const TENSOR_NAMES = 'tensor_names'
const PLAIN = '{"_type": "Tensor"}'
const SPLIT =
  'Save the model in several files: save_pretrained of transformers does, with max_shard_size.'

function metadataOf(descriptions: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  if (descriptions.has(TENSOR_NAMES)) {
    refuse('names of tensors that metadata has no other use for', TENSOR_NAMES, 'Rename it.')
  }
  return new Map(descriptions).set(TENSOR_NAMES, pythonJson([...descriptions.keys()]))
}
