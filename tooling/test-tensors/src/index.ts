/**
 * @file Golden vectors and random numbers as tensors.
 *
 * Apart from `@ao/test-data` because that one is used by the tests of `@ao/base-tensor` itself: one
 * package for both would be a cycle.
 */

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
import { loadGolden, type GoldenCase } from '@ao/test-data'
import { normalNumbers } from '@ao/test-kit'

/** All cases of a group of golden vectors, with dense tensors. */
export function golden(group: string): GoldenCase<DenseTensor>[] {
  return loadGolden(group, fromBytes)
}

/** A dense tensor of stored bytes. */
export function fromBytes(dtype: string, shape: readonly number[], bytes: Uint8Array): DenseTensor {
  const stored = dtype as StoredDType
  return fromArray(arrayFromBytes(stored, bytes), shape, stored)
}

/** The elements of a dense tensor that is there; bits for float16 and bfloat16. */
export function elements(value: Tensor | undefined): number[] {
  if (!value) throw new Error('no tensor')
  return Array.from(hostArray(value), Number)
}

/** Normally distributed numbers, the same for the same seed. */
export function randn(
  shape: readonly number[],
  { dtype = 'float32', seed = 1 }: { dtype?: FloatDType; seed?: number } = {},
): DenseTensor {
  return tensor(normalNumbers(numelOf(shape), seed), { shape, dtype })
}
