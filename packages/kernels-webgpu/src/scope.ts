/** @file Tensors among what calls take and return. */

import { isDenseTensor, isTensorSubclass, type DenseTensor } from '@ao/base-tensor'

/** The dense tensors in `value`: a tensor, or lists and records of them. */
export function tensorsIn(value: unknown): DenseTensor[] {
  if (isDenseTensor(value)) return [value]
  if (isTensorSubclass(value)) return tensorsIn(value.flatten().tensors)
  return isRecord(value) ? Object.values(value).flatMap(tensorsIn) : []
}

/** `value` with other dense tensors in it. */
export function mapTensors(value: unknown, change: (tensor: DenseTensor) => DenseTensor): unknown {
  if (isDenseTensor(value)) return change(value)
  if (Array.isArray(value)) return value.map((item) => mapTensors(item, change))
  if (!isRecord(value)) return value
  const entries = Object.entries(value).map(([key, item]) => [key, mapTensors(item, change)])
  return Object.fromEntries(entries)
}

// Other objects, such as modules and devices, may refer to the whole world.
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
