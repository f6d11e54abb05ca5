/** @file Checks of the tensors that a format is made of. */

import type { StoredDType } from './dtype.ts'
import { DTypeError, ShapeError, errorsOf } from './errors.ts'
import type { Tensor } from './tensor.ts'

/**
 * Checks the dtype of a format's part.
 *
 * @param name - how a message calls it, such as `qdata`
 * @param dtypes - those that will do
 * @throws {@link DTypeError} unless `tensor` has one of them
 */
export function checkDType(
  name: string,
  tensor: Tensor,
  dtypes: StoredDType | readonly StoredDType[],
  packageName: string,
): void {
  const allowed = [dtypes].flat()
  if (allowed.includes(tensor.dtype)) return
  throw errorsOf(packageName)(DTypeError, `${name} of ${allowed.join(' or ')}`, tensor.dtype)
}

/**
 * Checks the shape of a format's part.
 *
 * @param name - how a message calls it, such as `qdata`
 * @throws {@link ShapeError} unless `tensor` has it
 */
export function checkShape(
  name: string,
  tensor: Tensor,
  shape: readonly number[],
  packageName: string,
): void {
  if (tensor.shape.join() === shape.join()) return
  throw errorsOf(packageName)(ShapeError, `${name} of shape [${shape.join(', ')}]`, tensor.shape)
}
