/**
 * @file Scales and zero points in the order in which lanes use them: a band's four rows side by side.
 *
 * Plain formats have them as (K / g, N); here they are (bands, K / g, 4), with zeros for padded rows.
 */

import {
  asDense,
  cast,
  mul,
  unsqueeze,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { BAND_ROWS, bandsOf } from './layout.ts'

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

/** The scales (..., bands, G, 4), of `dtype`, of which `float8Scales` made those two. */
export function joinScales(
  groupScale: DenseTensor,
  rowScale: DenseTensor,
  dtype: FloatDType,
): DenseTensor {
  return asDense(cast(mul(cast(groupScale, 'float32'), unsqueeze(rowScale, -2)), dtype))
}
