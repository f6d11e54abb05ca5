/** @file Rows of new tokens, written after those that a buffer holds. */

import { defineOp, ShapeError, type Op, type Tensor } from '@ao/base-tensor'
import type { Position } from '@ao/text-generation'
import { positionOf } from './position.ts'

/**
 * Writes `rows` into `buffer` from row `start` on.
 *
 * `rows` (T, ...), `buffer` (capacity, ...) of the same dtype, which is written to
 */
export const append: Op<[rows: Tensor, buffer: Tensor, start: Position], void> =
  /* @__PURE__ */ defineOp({
    name: 'causal_lm.append',
    takes: 'tt.',
    reference: (rows: Tensor, buffer: Tensor, start: Position): void => {
      const first = checkAppend(rows, buffer, start)
      buffer.narrow(0, first, rows.shape[0] as number).copy_(rows)
    },
    meta: (rows: Tensor, buffer: Tensor, start: Position): void => {
      checkAppend(rows, buffer, start)
    },
  })

/** @throws {@link ShapeError} unless the rows fit */
function checkAppend(rows: Tensor, buffer: Tensor, start: Position): number {
  const first = positionOf(start)
  const [count = 0, ...row] = rows.shape
  const [capacity = 0, ...own] = buffer.shape
  const fits = first >= 0 && first + count <= capacity && row.join() === own.join()
  if (fits && rows.dtype === buffer.dtype && rows.ndim > 0) return first
  throw new ShapeError({
    package: '@ao/causal-lm',
    expected: `rows that fit after ${first} of ${buffer.dtype} [${buffer.shape.join(', ')}]`,
    got: `${rows.dtype} [${rows.shape.join(', ')}]`,
  })
}
