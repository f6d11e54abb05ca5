/**
 * @file Int4Codes: the plain shape in which int4 formats meet.
 *
 * Formats do not import each other. To go from one to another, one gives its codes and the other takes
 * them: `Int4PlainInt32Tensor.fromCodes(weight.toCodes())`.
 */

import type { FloatDType, Tensor } from '@ao/base-tensor'

/** A weight in 4-bit codes, unpacked: groups of `groupSize` neighbours along K share a scale. */
export interface Int4Codes {
  /** uint8, 0..15: (N, K), or (E, N, K) for E experts. */
  readonly codes: Tensor
  /** (K / groupSize, N), or (E, K / groupSize, N). */
  readonly scale: Tensor
  readonly zeroPoint: Int4ZeroPoint | undefined
  readonly groupSize: number
  /** Dtype of the weight that this stands for. */
  readonly dtype: FloatDType
}

/**
 * What a code means, in the shape of the scale:
 *
 * - `FLOAT`: `(code - 8) * scale + values`, the value of code 8 in floating point
 * - `INT`: `(code - values) * scale`, a code in 0..15
 *
 * Without a zero point, `(code - 8) * scale`.
 */
export interface Int4ZeroPoint {
  readonly domain: 'FLOAT' | 'INT'
  readonly values: Tensor
}
