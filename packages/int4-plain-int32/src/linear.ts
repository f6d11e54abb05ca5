/** @file linear and bmm of an int4 weight: which op multiplies, and with what. */

import {
  cat,
  cast,
  mul,
  select,
  ShapeError,
  transpose,
  unsqueeze,
  UnsupportedOpError,
  type Tensor,
} from '@ao/base-tensor'
import { packedDim, PACKAGE, type Int4PlainInt32Fields } from './layout.ts'
import { int4PlainInt32Linear } from './linear-ops.ts'

/** A tensor that is made of the fields of this format. */
export type PlainInt32Like = Tensor & Int4PlainInt32Fields

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), `weight` (N, K), `bias` (N) -> (..., N)
 *
 * @throws {@link UnsupportedOpError} for a weight that is not (N, K) with its groups along K
 */
export function linearOfPlainInt32(x: Tensor, weight: PlainInt32Like, bias?: Tensor): Tensor {
  if (weight.ndim !== 2 || packedDim(weight.blockSize) !== 1) throw notStored(weight)
  checkBias(weight, bias)
  const input = weight.actPreScale ? cast(mul(x, weight.actPreScale), x.dtype) : x
  return int4PlainInt32Linear(input, [weight.qdata, weight.scale, weight.zeroPoint], bias)
}

/**
 * The product with each expert's weight: `x` (E, M, K) -> (E, M, N).
 *
 * The sum runs along the groups. A stored weight (E, N, K) gives `x[e] @ weight[e]^T`, as torchao's `bmm`
 * of quantized experts does, and its transpose (E, K, N) gives the same: `x[e] @ weight[e]`.
 */
export function bmmOfPlainInt32(x: Tensor, weight: PlainInt32Like): Tensor {
  if (weight.ndim !== 3 || packedDim(weight.blockSize) === 0) throw notStored(weight)
  const stored = packedDim(weight.blockSize) === 2 ? weight : transpose(weight, 1, 2)
  const [experts, , k] = stored.shape
  if (x.ndim !== 3 || x.shape[0] !== experts || x.shape[2] !== k) {
    throw new ShapeError({
      package: PACKAGE,
      expected: `an input of shape [${experts}, M, ${k}] for experts of shape [${weight.shape.join(', ')}]`,
      got: `[${x.shape.join(', ')}]`,
    })
  }
  const outputs = Array.from({ length: experts as number }, (_, e) => {
    const expert = select(stored, 0, e) as PlainInt32Like
    return unsqueeze(linearOfPlainInt32(select(x, 0, e), expert), 0)
  })
  return cat(outputs, 0)
}

function checkBias({ shape }: PlainInt32Like, bias: Tensor | undefined): void {
  if (!bias || bias.numel === shape[0]) return
  throw new ShapeError({
    package: PACKAGE,
    expected: `a bias of ${shape[0]} elements`,
    got: `shape [${bias.shape.join(', ')}]`,
  })
}

function notStored({ shape, blockSize }: PlainInt32Like): UnsupportedOpError {
  return new UnsupportedOpError({
    package: PACKAGE,
    expected: 'a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm',
    got: `shape [${shape.join(', ')}] with blocks of [${blockSize.join(', ')}]`,
    cure: 'Transpose it back, or call dequantize().',
  })
}
