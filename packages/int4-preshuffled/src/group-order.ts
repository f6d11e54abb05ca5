/**
 * @file Scales and zero points in the order in which lanes use them: a band's four rows side by side.
 *
 * Plain formats have them as (K / g, N); here they are (bands, K / g, 4), with zeros for padded rows.
 */

import {
  asDense,
  cast,
  defineOp,
  fromArray,
  fromFloat32,
  hostFloat32,
  mul,
  toFloat8E4m3Bits,
  unsqueeze,
  ValueError,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Op,
  type Tensor,
  numelOf,
} from '@ao/base-tensor'
import { BAND_ROWS, bandsOf, PACKAGE } from './layout.ts'

/** (..., G, N) as (..., bands, G, 4). */
export function toBands(groups: Tensor): DenseTensor {
  const [count, n] = groups.shape.slice(-2) as [number, number]
  const lead = groups.shape.slice(0, -2)
  const padded = zeros([...lead, count, bandsOf(n) * BAND_ROWS], groups.dtype, groups.device)
  padded.narrow(-1, 0, n).copy_(groups)
  return padded
    .view([...lead, count, bandsOf(n), BAND_ROWS])
    .transpose(-3, -2)
    .contiguous()
}

/** (..., bands, G, 4) as (..., G, n). */
export function fromBands(groups: DenseTensor, n: number): DenseTensor {
  const [bands, count] = groups.shape.slice(-3) as [number, number]
  const padded = groups.transpose(-3, -2).contiguous()
  return padded
    .view([...groups.shape.slice(0, -3), count, bands * BAND_ROWS])
    .narrow(-1, 0, n)
    .contiguous()
}

/** Scales of float8_e4m3fn, and what each row's are multiplied with. */
interface Float8Scales {
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
    name: 'int4_preshuffled.float8Scales',
    reference: (scale: Tensor, zeroPoint: Tensor | undefined): Float8Scales => {
      if (zeroPoint && hostFloat32(zeroPoint).some((value) => value !== 0)) throw hasZeroPoints()
      const values = hostFloat32(scale)
      const shape = rowShape(scale)
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
  return shape.with(-2, 1)
}

/** The scales (..., bands, G, 4), of `dtype`, of which {@link float8Scales} made those two. */
export function joinScales(
  groupScale: DenseTensor,
  rowScale: DenseTensor,
  dtype: FloatDType,
): DenseTensor {
  return asDense(cast(mul(cast(groupScale, 'float32'), unsqueeze(rowScale, -2)), dtype))
}

function hasZeroPoints(): ValueError {
  return new ValueError({
    package: PACKAGE,
    expected: 'codes around zero for inputs of float8_e4m3fn',
    got: 'zero points other than 0',
    cure: 'Quantize the float weight with activationDtype: float8_e4m3fn.',
  })
}
