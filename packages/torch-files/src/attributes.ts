/** @file Attributes of tensors as torchao's metadata writes them. */

import type { Json } from '@ao/base-tensor'
import { DAMAGED, refuse } from './errors.ts'
import { MAX_ATTRIBUTE_DEPTH, MAX_ATTRIBUTE_VALUES } from './limits.ts'
import { describeValue, PickleDict } from './pickle.ts'
import { DATA_CLASSES, ENUMS } from './torchao-names.ts'
import { AoObject, TorchDType } from './values.ts'

/**
 * The JSON of an attribute.
 *
 * @param what - its name in messages
 * @throws {@link FormatError} for what metadata cannot hold
 */
export function attributeJson(value: unknown, what: string): Json {
  let values = 0
  const convert = (part: unknown, depth: number): Json => {
    // One list may hold another one several times, or itself.
    if (depth > MAX_ATTRIBUTE_DEPTH || ++values > MAX_ATTRIBUTE_VALUES) {
      return refuse(
        `${what} to be a small value`,
        `more than ${MAX_ATTRIBUTE_VALUES} values, or ${MAX_ATTRIBUTE_DEPTH} in each other`,
        DAMAGED,
      )
    }
    const fields = (pairs: Iterable<readonly [string, unknown]>): Json =>
      Object.fromEntries([...pairs].map(([name, field]) => [name, convert(field, depth + 1)]))
    if (part === null || typeof part === 'boolean' || typeof part === 'string') return part
    if (typeof part === 'number' && Number.isFinite(part)) return part
    if (Array.isArray(part)) return part.map((entry) => convert(entry, depth + 1))
    if (part instanceof TorchDType) return { _type: 'torch.dtype', _data: part.name }
    if (part instanceof PickleDict) return fields(part.byText())
    if (part instanceof AoObject) {
      const { name } = part.type
      return { _type: name, _data: enumMember(part) ?? fields(fieldsOf(part)) }
    }
    return refuse(`${what} to be a value that metadata can hold`, describeValue(part), DAMAGED)
  }
  return convert(value, 0)
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
