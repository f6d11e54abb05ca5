/** @file Learned positions: a row of a table for each position. */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  ShapeError,
  zeros,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { floatDType, type Position } from '@ao/text-generation'
import { positionOf } from './position.ts'

/**
 * `x[t] + table[start + t]`.
 *
 * `x` (T, H), `table` (P, H) of the same dtype, with P of `start + T` or more -> (T, H)
 */
export const addPositions: Op<[x: Tensor, table: Tensor, start: Position], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'causal_lm.addPositions',
    takes: 'tt.',
    budget: { nmse: 1e-6 },
    reference: (x: Tensor, table: Tensor, start: Position): Tensor => {
      const first = checkPositions(x, table, start)
      const rows = hostFloat32(table.narrow(0, first, x.shape[0] as number))
      const out = hostFloat32(x).map((value, i) => value + (rows[i] as number))
      return fromFloat32(out, x.shape, x.dtype)
    },
    meta: (x: Tensor, table: Tensor, start: Position): Tensor => {
      checkPositions(x, table, start)
      return zeros(x.shape, x.dtype, x.device)
    },
  })

/** @throws {@link ShapeError} unless there is a row for each position */
function checkPositions(x: Tensor, table: Tensor, start: Position): number {
  floatDType(x, 'addPositions')
  const first = positionOf(start)
  const [tokens = 0, size = 0] = x.shape
  const [positions = 0, width = 0] = table.shape
  const fits = x.ndim === 2 && table.ndim === 2 && size === width && first + tokens <= positions
  if (fits && first >= 0 && x.dtype === table.dtype) return first
  throw new ShapeError({
    package: '@ao/causal-lm',
    expected: `x of shape [T, H] and a table of shape [P, H], of one dtype, with P >= ${first} + T`,
    got: `${x.dtype} [${x.shape.join(', ')}] and ${table.dtype} [${table.shape.join(', ')}]`,
  })
}
