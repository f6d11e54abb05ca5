/** @file Which elements of a head rotary embeddings turn together. */

import { ShapeError, type Tensor } from '@ao/base-tensor'

/** How {@link rope} pairs a head's elements. */
export interface RopeOptions {
  /**
   * Whether elements `2i` and `2i + 1` turn together, as in the original rotary embedding and in GLM and
   * Cohere models; `i` and `i + P` unless given, as in Llama.
   */
  readonly interleaved?: boolean
}

/** Where the pairs of a head are. */
export interface RopePairs {
  /** Pairs of a head that turn: elements from `2 * count` on stay. */
  readonly count: number
  /** From the first element of a pair to that of the next. */
  readonly step: number
  /** From the first to the second element of a pair. */
  readonly apart: number
}

/** @throws {@link ShapeError} for shapes that {@link rope} does not take */
export function ropePairs(
  x: Tensor,
  cos: Tensor,
  sin: Tensor,
  start: number,
  { interleaved = false }: RopeOptions = {},
): RopePairs {
  const [tokens = 0, , headDim = 0] = x.shape
  const [positions = 0, count = 0] = cos.shape
  const fits =
    x.ndim === 3 &&
    cos.ndim === 2 &&
    headDim % 2 === 0 &&
    count * 2 <= headDim &&
    start >= 0 &&
    start + tokens <= positions
  if (fits && cos.shape.join() === sin.shape.join()) {
    return { count, ...(interleaved ? { step: 2, apart: 1 } : { step: 1, apart: count }) }
  }
  throw new ShapeError({
    package: '@ao/text-generation',
    expected: `x of shape [T, heads, D], cos and sin of shape [P, D/2 or less] with P >= ${start} + T`,
    got: `[${x.shape.join(', ')}], [${cos.shape.join(', ')}] and [${sin.shape.join(', ')}]`,
  })
}
