import { isDenseTensor, isTensorSubclass, type Storage } from '@ao/base-tensor'

/** The storage of all tensors in `value`: a tensor, or lists and records of them. */
export function storagesIn(value: unknown): Storage[] {
  if (isDenseTensor(value)) return [value.storage]
  if (isTensorSubclass(value)) return storagesIn(value.flatten().tensors)
  return isRecord(value) ? Object.values(value).flatMap(storagesIn) : []
}

// Other objects, such as modules and devices, may refer to the whole world.
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
