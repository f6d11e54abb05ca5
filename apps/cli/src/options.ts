/** @file Values of command-line options, checked. */

import type { FloatDType } from '@ao/base-tensor'
import { InvalidArgumentError } from 'commander'

/** An integer from `min` on. */
export function integerFrom(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^-?\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value
    throw new InvalidArgumentError(`Expected an integer from ${min} on.`)
  }
}

/** A number from `min` to `max`. */
export function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && value >= min && value <= max) return value
    throw new InvalidArgumentError(
      max === Infinity
        ? `Expected a number from ${min} on.`
        : `Expected a number from ${min} to ${max}.`,
    )
  }
}

/** Collects the values of an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value]
}

/** Floating dtypes that weights can be cast to. */
export const FLOAT_DTYPES: readonly FloatDType[] = ['float32', 'bfloat16', 'float16']
