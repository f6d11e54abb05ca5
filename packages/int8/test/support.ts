import {
  arrayFromBytes,
  fromArray,
  hostArray,
  isTensorSubclass,
  numelOf,
  tensor,
  type DenseTensor,
  type FloatDType,
  type NestedNumbers,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import { loadGolden, normalNumbers, type GoldenCase } from '@ao/test-kit'

export const DTYPES = ['float32', 'float16', 'bfloat16'] as const

export function golden(group: string): GoldenCase<DenseTensor>[] {
  return loadGolden(group, fromBytes)
}

export function fromBytes(dtype: string, shape: readonly number[], bytes: Uint8Array): DenseTensor {
  const stored = dtype as StoredDType
  return fromArray(arrayFromBytes(stored, bytes), shape, stored)
}

/** A granularity as the golden vectors spell it. */
export function granularityOf(stored: {
  type: string
  dim?: number
  group_size?: number
}): Granularity {
  if (stored.type === 'PerTensor') return PerTensor()
  return stored.type === 'PerRow' ? PerRow(stored.dim) : PerGroup(stored.group_size as number)
}

/** The elements of a dense tensor; bits for float16 and bfloat16. */
export function elements(value: Tensor | undefined): number[] {
  if (!value || isTensorSubclass(value)) throw new Error('not a dense tensor')
  return Array.from(hostArray(value), Number)
}

export function dense(values: NestedNumbers, dtype: FloatDType | 'int8' = 'float32'): DenseTensor {
  return tensor(values, { dtype })
}

/** Normally distributed numbers, the same for the same seed. */
export function randn(
  shape: readonly number[],
  { dtype = 'float32', seed = 1 }: { dtype?: FloatDType; seed?: number } = {},
): DenseTensor {
  return tensor(normalNumbers(numelOf(shape), seed), { shape, dtype })
}
