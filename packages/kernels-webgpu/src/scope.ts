import { isDenseTensor, isTensorSubclass, type Storage } from '@ao/base-tensor'

/** The storage of all tensors in `value`: a tensor, or lists and records of them. */
export function storagesIn(value: unknown, found: Set<Storage> = new Set()): Set<Storage> {
  if (isDenseTensor(value)) found.add(value.storage)
  else if (isTensorSubclass(value)) storagesIn(value.flatten().tensors, found)
  else if (isRecord(value)) for (const part of Object.values(value)) storagesIn(part, found)
  return found
}

// Other objects, such as modules and devices, may refer to the whole world.
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
