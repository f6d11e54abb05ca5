/** @file linear and bmm of a weight: which op multiplies, and with what. */

import {
  bmmByExperts,
  cast,
  checkBias,
  mul,
  UnsupportedOpError,
  type Tensor,
} from '@ao/base-tensor'
import { PACKAGE, type Int4TilePackedTo4dFields } from './layout.ts'
import { int4TiledLinear } from './linear-ops.ts'

/** A tensor that is made of the fields of this format. */
export type TiledLike = Tensor & Int4TilePackedTo4dFields

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 *
 * @throws {@link UnsupportedOpError} for experts
 */
export function linearOfTiled(x: Tensor, weight: TiledLike, bias?: Tensor): Tensor {
  const { qdata, scaleAndZero, shape, actPreScale } = weight
  if (shape.length !== 2) throw wrongRank('a weight (N, K) for linear', shape)
  checkBias(bias, shape[0] as number, PACKAGE)
  const input = actPreScale ? cast(mul(x, actPreScale), x.dtype) : x
  return int4TiledLinear(input, [qdata, scaleAndZero], shape, bias)
}

/**
 * `x[e] @ weight[e]^T` for each expert: `x` (E, M, K), `weight` (E, N, K) -> (E, M, N).
 *
 * @throws {@link UnsupportedOpError} for a weight (N, K)
 */
export function bmmOfTiled(x: Tensor, weight: TiledLike): Tensor {
  if (weight.ndim !== 3) throw wrongRank('experts (E, N, K) for bmm', weight.shape)
  return bmmByExperts(x, weight, linearOfTiled, PACKAGE)
}

function wrongRank(expected: string, shape: readonly number[]): UnsupportedOpError {
  return new UnsupportedOpError({ package: PACKAGE, expected, got: `[${shape.join(', ')}]` })
}
