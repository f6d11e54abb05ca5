/** @file Golden vectors as tensors, and their bits for exact comparison. */

import { hostArray, tensor, type StoredDType, type Tensor } from '@ao/base-tensor'
import { toNumbers, type GoldenCase } from '@ao/test-data'
import { golden } from '@ao/test-tensors'
import { expect } from 'vitest'

/** Cases of a golden group, each after its name. */
export function goldenCases(group: string): [string, GoldenCase<Tensor>][] {
  return golden(group).map((c) => [c.name, c])
}

/** Nested numbers of a golden file as a tensor. */
export function goldenTensor(nested: number[], dtype: StoredDType = 'float32'): Tensor {
  return tensor(toNumbers(nested), { dtype })
}

/** All that equal tensors share. NaNs of any bits are one. */
export function bits(value: Tensor): unknown {
  const data = Array.from(hostArray(value) as ArrayLike<number | bigint>, (x) =>
    isNaNBits(Number(x), value.dtype) ? 'NaN' : x,
  )
  return { shape: [...value.shape], dtype: value.dtype, data }
}

function isNaNBits(x: number, dtype: StoredDType): boolean {
  switch (dtype) {
    case 'float32':
      return Number.isNaN(x)
    case 'bfloat16':
      return (x & 0x7fff) > 0x7f80
    case 'float16':
      return (x & 0x7fff) > 0x7c00
    default:
      return false
  }
}

/** Checks a tensor of the meta device against the one with numbers. */
export function expectPlanned(planned: Tensor, actual: Tensor): void {
  expect(planned.device.name).toBe('meta')
  expect(planned.dtype).toBe(actual.dtype)
  expect(planned.shape).toEqual(actual.shape)
}
