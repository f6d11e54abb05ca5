import {
  arrayFromBytes,
  fromArray,
  hostArray,
  numelOf,
  tensor,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { loadGolden, normalNumbers, type GoldenCase } from '@ao/test-kit'

export function golden(group: string): GoldenCase<DenseTensor>[] {
  return loadGolden(group, fromBytes)
}

export function fromBytes(dtype: string, shape: readonly number[], bytes: Uint8Array): DenseTensor {
  const stored = dtype as StoredDType
  return fromArray(arrayFromBytes(stored, bytes), shape, stored)
}

/** The elements of a dense tensor; bits for float16 and bfloat16. */
export function elements(value: Tensor): number[] {
  return Array.from(hostArray(value), Number)
}

/** Normally distributed numbers, the same for the same seed. */
export function randn(
  shape: readonly number[],
  { dtype = 'float32', seed = 1 }: { dtype?: FloatDType; seed?: number } = {},
): DenseTensor {
  return tensor(normalNumbers(numelOf(shape), seed), { shape, dtype })
}
