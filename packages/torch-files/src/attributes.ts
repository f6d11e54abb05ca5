/** @file Attributes of tensors as torchao's metadata writes them. */

import type { Json } from '@ao/base-tensor'
import { DAMAGED, refuse } from './errors.ts'
import { MAX_ATTRIBUTE_DEPTH, MAX_ATTRIBUTE_TEXT, MAX_ATTRIBUTE_VALUES } from './limits.ts'
import { describeValue, PickleDict } from './pickle.ts'
import { DATA_CLASSES, ENUMS } from './torchao-names.ts'
import { AoObject, TorchDType } from './values.ts'

/** Writes the attributes of one tensor as JSON. One list may hold another several times, or itself: all is counted. */
export class AttributeWriter {
  #values = 0

  /**
   * The JSON of an attribute.
   *
   * @param what - its name in messages
   * @throws {@link FormatError} for what metadata cannot hold
   */
  json(value: unknown, what: string, depth = 0): Json {
    if (depth > MAX_ATTRIBUTE_DEPTH || ++this.#values > MAX_ATTRIBUTE_VALUES) {
      const got = `more than ${MAX_ATTRIBUTE_VALUES} of them, or more than ${MAX_ATTRIBUTE_DEPTH} in each other`
      refuse(`${what} to be one of a few values`, got, DAMAGED)
    }
    const fields = (pairs: Iterable<readonly [string, unknown]>): Json =>
      Object.fromEntries(
        [...pairs].map(([name, field]) => [
          this.#text(name, what),
          this.json(field, what, depth + 1),
        ]),
      )
    if (value === null || typeof value === 'boolean') return value
    if (typeof value === 'string') return this.#text(value, what)
    if (typeof value === 'number' && Number.isFinite(value)) return value
    if (Array.isArray(value)) return value.map((entry) => this.json(entry, what, depth + 1))
    if (value instanceof TorchDType) return { _type: 'torch.dtype', _data: value.name }
    if (value instanceof PickleDict) return fields(value.byText())
    if (value instanceof AoObject) {
      const { name } = value.type
      return { _type: name, _data: enumMember(value) ?? fields(fieldsOf(value)) }
    }
    return refuse(`${what} to be a value that metadata can hold`, describeValue(value), DAMAGED)
  }

  #text(text: string, what: string): string {
    if (text.length <= MAX_ATTRIBUTE_TEXT) return text
    return refuse(
      `${what} to have ${MAX_ATTRIBUTE_TEXT} characters at most`,
      describeValue(text),
      DAMAGED,
    )
  }
}

/** The name of an enum's member; undefined for objects of other classes. */
export function enumMember({ type, args: [value] }: AoObject): string | undefined {
  const members = Object.hasOwn(ENUMS, type.name) ? ENUMS[type.name] : undefined
  if (!members) return undefined
  const isKey = typeof value === 'string' || typeof value === 'number'
  const name = isKey && Object.hasOwn(members, value) ? members[value] : undefined
  return (
    name ??
    refuse(
      `a member of ${type.name}`,
      describeValue(value),
      'A newer version of torchao wrote it: save the model as safetensors there.',
    )
  )
}

/** The fields of a dataclass or named tuple. */
export function fieldsOf({ type, args, state }: AoObject): ReadonlyMap<string, unknown> {
  const names = (Object.hasOwn(DATA_CLASSES, type.name) && DATA_CLASSES[type.name]) || []
  if (args.length > names.length) {
    refuse(`${type.name} with ${names.length} fields at most`, String(args.length), DAMAGED)
  }
  return new Map([
    ...args.map((arg, i) => [names[i] as string, arg] as const),
    ...(state?.byText() ?? []),
  ])
}
