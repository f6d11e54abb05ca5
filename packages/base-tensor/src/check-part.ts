/** @file Checks of the tensors that a format is made of. */

import { takes } from './takes.ts'
import { FLOAT_DTYPES, type StoredDType } from './dtype.ts'
import { DTypeError, ShapeError, ValueError, errorsOf, fail } from './errors.ts'
import type { Tensor } from './tensor.ts'

/**
 * Checks the dtype of a format's part.
 *
 * @param name - how a message calls it, such as `qdata`
 * @param dtypes - those that will do
 * @throws {@link DTypeError} unless `tensor` is there and has one of them
 */
export function checkDType(
  name: string,
  tensor: Tensor | undefined,
  dtypes: StoredDType | readonly StoredDType[],
  packageName: string,
): void {
  takes('x..x', name, tensor, dtypes, packageName)
  const allowed = [dtypes].flat()
  if (tensor && allowed.includes(tensor.dtype)) return
  const got = tensor ? (tensor.dtype ?? typeof tensor) : 'nothing'
  throw errorsOf(packageName)(DTypeError, `${name} of ${allowed.map(String).join(' or ')}`, got)
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
  takes('xtsx', name, tensor, shape, packageName)
  if (tensor.shape.join() === shape.join()) return
  throw errorsOf(packageName)(ShapeError, `${name} of shape [${shape.join(', ')}]`, tensor.shape)
}

/**
 * Checks what an input is multiplied by before a product: one number, or one for each of K features.
 *
 * @param sizes - what K may be
 * @throws {@link DTypeError} or {@link ShapeError} unless it is floating and of such a size
 */
export function checkPreScale(
  preScale: Tensor | undefined,
  sizes: readonly number[],
  packageName: string,
): void {
  takes('t?sx', preScale, sizes, packageName)
  if (!preScale) return
  checkDType('actPreScale', preScale, FLOAT_DTYPES, packageName)
  const size = preScale.shape.at(-1) ?? 1
  if (size === 1 || sizes.includes(size)) return
  const expected = `actPreScale of shape [${sizes.at(-1)}], one element for each feature of the input`
  throw errorsOf(packageName)(ShapeError, expected, preScale.shape)
}

/**
 * Checks the numbers of a weight, or of a part that was made of it.
 *
 * @throws {@link ValueError} unless all are finite
 */
export function checkFinite(values: Float32Array, name: string): void {
  takes('Fx', values, name)
  const at = values.findIndex((value) => !Number.isFinite(value))
  if (at < 0) return
  throw fail(
    ValueError,
    'a weight of finite numbers',
    `${values[at]} as element ${at} of ${name}`,
    'Repair the weight, leave it out, or pass { allowNonFinite: true }.',
  )
}
