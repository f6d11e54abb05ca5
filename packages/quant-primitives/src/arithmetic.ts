/**
 * @file Arithmetic as PyTorch does it on tensors.
 *
 * An operation on a tensor computes in float32 and rounds its result to the tensor's dtype, so a chain
 * of operations on bfloat16 rounds after each one. Scalars join the tensor's dtype.
 */

import {
  DTypeError,
  isFloatDType,
  promote,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'

import { fail } from './errors.ts'
/** Rounds a number to a dtype. */
export type Rounder = (x: number) => number

/**
 * The rounding of a result of two operands: that of their common floating dtype.
 *
 * @throws {@link DTypeError} when neither is floating
 */
export function promoteFloat(a: StoredDType, b: StoredDType): FloatDType {
  return requireFloat(promote(a, b), 'the result')
}

/** @throws {@link DTypeError} unless `dtype` is float32, float16 or bfloat16 */
export function requireFloat(dtype: StoredDType, what: string): FloatDType {
  if (isFloatDType(dtype)) return dtype
  throw fail(DTypeError, `${what} to be of float32, float16 or bfloat16`, dtype)
}

/** The dtype that arithmetic on `tensor` rounds to. */
export function floatDTypeOf(tensor: Tensor, what: string = 'the input'): FloatDType {
  return requireFloat(tensor.dtype, what)
}

/** `max(x, low)`, where NaN stays NaN as in `torch.clamp`. */
export function clampMin(x: number, low: number): number {
  return x < low ? low : x
}

/** `min(max(x, low), high)`, where NaN stays NaN as in `torch.clamp`. */
export function clamp(x: number, low: number, high: number): number {
  return x < low ? low : x > high ? high : x
}
