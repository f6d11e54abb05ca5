/** @file Scales of int4 groups as float8, for products with inputs that are rounded to float8. */

import {
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  normalizeDim,
  numelOf,
  toFloat8E4m3Bits,
  ValueError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from '../errors.ts'

/** Scales of float8_e4m3fn, and what each row's are multiplied with. */
export interface Float8Scales {
  /** float8_e4m3fn (..., G, N). */
  readonly groupScale: Tensor
  /** float32 (..., 1, N). */
  readonly rowScale: Tensor
}

/**
 * `scale` (..., G, N) as float8 and one float32 a row, as torchao's `from_int4_tensor` does it: a row's
 * scale is the largest magnitude of its groups' scales, and these are divided by it and rounded.
 *
 * @throws {@link ValueError} when a zero point is not zero: float8 products have none
 */
export const float8Scales: Op<[scale: Tensor, zeroPoint: Tensor | undefined], Float8Scales> =
  /* @__PURE__ */ defineOp({
    name: 'quantized_linear.float8Scales',
    takes: 'tt?',
    reference: (scale: Tensor, zeroPoint: Tensor | undefined): Float8Scales => {
      if (zeroPoint && hostFloat32(zeroPoint).some((value) => value !== 0)) throw hasZeroPoints()
      const shape = rowShape(scale)
      const values = hostFloat32(scale)
      const [groups, n] = scale.shape.slice(-2) as [number, number]
      const peaks = new Float32Array(numelOf(shape))
      const bits = new Uint8Array(values.length)
      for (let row = 0; row < peaks.length; row++) {
        const expert = Math.floor(row / n)
        const first = expert * groups * n + (row % n)
        const end = first + groups * n
        let peak = 0
        for (let i = first; i < end; i += n) peak = Math.max(peak, Math.abs(values[i] as number))
        peaks[row] = peak
        for (let i = first; i < end; i += n) {
          bits[i] = peak === 0 ? 0 : toFloat8E4m3Bits(Math.fround((values[i] as number) / peak))
        }
      }
      return {
        groupScale: fromArray(bits, scale.shape, 'float8_e4m3fn'),
        rowScale: fromFloat32(peaks, shape, 'float32'),
      }
    },
    meta: (scale: Tensor): Float8Scales => ({
      groupScale: zeros(scale.shape, 'float8_e4m3fn', scale.device),
      rowScale: zeros(rowShape(scale), 'float32', scale.device),
    }),
  })

function rowShape({ shape }: Tensor): number[] {
  return shape.with(normalizeDim(-2, shape.length), 1)
}

function hasZeroPoints(): ValueError {
  return fail(
    ValueError,
    'codes around zero for inputs of float8_e4m3fn',
    'zero points other than 0',
    'Quantize the float weight with activationDtype: float8_e4m3fn.',
  )
}
