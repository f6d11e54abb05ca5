/** @file What the suites of one variant share: weights to test with, and how tensors are compared. */

import { expect } from 'vitest'
import type {
  FormatVariant,
  TestBase,
  TestFormatClass,
  TestQuantized,
  TestTensor,
} from './contracts.ts'
import { normalNumbers } from './random.ts'

/** A format, in one variant, with weights of one dtype. */
export interface FormatCase {
  readonly base: TestBase
  readonly format: TestFormatClass
  readonly variant: FormatVariant
  readonly dtype: string
}

/** A dense tensor of normally distributed numbers. */
export function normal(
  { base, dtype }: FormatCase,
  shape: readonly number[],
  seed: number,
): TestTensor {
  const numel = shape.reduce((product, size) => product * size, 1)
  return base.tensor(normalNumbers(numel, seed), { shape, dtype })
}

/** A weight of the variant's shape, and what it was made from. */
export function weightOf(
  test: FormatCase,
  seed = 1,
): { readonly hp: TestTensor; readonly weight: TestQuantized } {
  const hp = normal(test, test.variant.shape, seed)
  return { hp, weight: test.variant.fromHp(hp) }
}

/** Whether the format, or a class that it extends, has an op. */
export function hasOp(format: TestFormatClass, opName: string): boolean {
  for (let type = format; type?.ops; type = Object.getPrototypeOf(type) as TestFormatClass) {
    if (type.ops.some((op) => op.opName === opName)) return true
  }
  return false
}

/** Expects dense tensors of equal shape, dtype and bits. */
export function expectEqual({ base }: FormatCase, a: TestTensor, b: TestTensor): void {
  expect(a.shape).toEqual(b.shape)
  expect(a.dtype).toBe(b.dtype)
  expect(difference(base.hostArray(a), base.hostArray(b))).toBe('none')
}

type Elements = ArrayLike<number | bigint>

/** The first element that differs; an assertion on whole arrays would take much longer. */
function difference(a: Elements, b: Elements): string {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (!Object.is(a[i], b[i])) return `element ${i}: ${a[i]} instead of ${b[i]}`
  }
  return 'none'
}

/** Expects quantized tensors of equal attributes and inner tensors. */
export function expectSameParts(test: FormatCase, a: TestTensor, b: TestTensor): void {
  const [parts, others] = [(a as TestQuantized).flatten(), (b as TestQuantized).flatten()]
  expect(parts.attributes).toEqual(others.attributes)
  expect(Object.keys(parts.tensors)).toEqual(Object.keys(others.tensors))
  for (const [name, tensor] of Object.entries(parts.tensors)) {
    expectEqual(test, tensor, others.tensors[name] as TestTensor)
  }
}

/** Expects a view of `weight` to stand for the same view of its values. */
export function expectSameView(
  test: FormatCase,
  weight: TestQuantized,
  view: (tensor: TestTensor) => TestTensor,
): void {
  const values = view(weight.dequantize()).contiguous()
  expectEqual(test, (view(weight) as TestQuantized).dequantize(), values)
}
