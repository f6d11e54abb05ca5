/** @file Scales and zero points in the order in which tinygemm's int4 kernels read them. */

import { cat, DTypeError, ShapeError, type StoredDType, type Tensor, takes } from '@ao/base-tensor'
import { fail } from '../errors.ts'
import type { AffineQparams } from '../choose-qparams.ts'

/**
 * Scales and zero points (N, K/g) as one tensor (K/g, N, 2), scale first; torchao's
 * `pack_tinygemm_scales_and_zeros`. Dimensions before these two stay in front.
 *
 * @throws {@link DTypeError} unless both are of `dtype`
 * @throws {@link ShapeError} unless both have one shape of 2 dimensions or more
 */
export function packTinygemmScalesAndZeros(
  scale: Tensor,
  zeroPoint: Tensor,
  dtype: StoredDType = 'bfloat16',
): Tensor {
  takes('ttz?', scale, zeroPoint, dtype)
  if (scale.dtype !== dtype || zeroPoint.dtype !== dtype) {
    throw fail(
      DTypeError,
      `scales and zero points of ${dtype}`,
      `${scale.dtype} and ${zeroPoint.dtype}`,
    )
  }
  if (scale.ndim < 2 || scale.shape.join() !== zeroPoint.shape.join()) {
    throw fail(
      ShapeError,
      'scales and zero points of one shape (N, K/g)',
      `[${scale.shape.join(', ')}] and [${zeroPoint.shape.join(', ')}]`,
    )
  }
  const pairs = cat([scale.unsqueeze(-1), zeroPoint.unsqueeze(-1)], -1)
  return pairs.transpose(-3, -2).contiguous()
}

/**
 * Views (N, K/g, 1) of what {@link packTinygemmScalesAndZeros} made; torchao's
 * `unpack_tinygemm_scales_and_zeros`.
 *
 * @throws {@link ShapeError} unless the shape is (K/g, N, 2), with any dimensions before
 */
export function unpackTinygemmScalesAndZeros(scalesAndZeros: Tensor): AffineQparams {
  takes('t', scalesAndZeros)
  if (scalesAndZeros.ndim < 3 || scalesAndZeros.shape.at(-1) !== 2) {
    throw fail(ShapeError, 'scales and zero points of shape (K/g, N, 2)', scalesAndZeros.shape)
  }
  const pairs = scalesAndZeros.transpose(-3, -2)
  return { scale: pairs.narrow(-1, 0, 1), zeroPoint: pairs.narrow(-1, 1, 1) }
}
