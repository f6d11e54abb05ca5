/** @file Rows of a format's op table that every format writes alike, and what they check. */

import { takes } from './takes.ts'
import { DTypeError, errorsOf } from './errors.ts'
import type { Op } from './op.ts'
import {
  implement,
  type OpImplementation,
  type TensorSubclass,
  type TensorSubclassType,
} from './tensor-subclass.ts'
import type { Tensor } from './tensor.ts'

/**
 * A row of an op table for an op whose result is a weight of other fields, such as a view.
 *
 * @param change - makes the fields of the result from those of the tensor, which is of the class that
 * lists the row
 */
/* @__NO_SIDE_EFFECTS__ */
export function implementOnFields<Fields extends object, Args extends readonly unknown[]>(
  op: Op<[tensor: Tensor, ...Args], Tensor>,
  change: (fields: Fields, ...args: Args) => Fields,
): OpImplementation {
  takes('o<reference:f>f', op, change)
  return implement(op, (tensor, ...args) => {
    const type = tensor.constructor as unknown as TensorSubclassType
    return new type(change(tensor as unknown as Fields, ...args) as never)
  })
}

/**
 * `tensor` as one of the class `type`, which a package's own op table takes.
 *
 * An op comes to a table by the first tensor subclass among its tensors; others may be anything.
 *
 * @throws {@link DTypeError} when it is of another class, or dense
 */
export function expectFormat<T extends TensorSubclass>(
  tensor: Tensor,
  type: TensorSubclassType<T>,
  packageName: string,
): T {
  takes('tfx', tensor, type, packageName)
  if (tensor instanceof type) return tensor
  throw errorsOf(packageName)(
    DTypeError,
    `a weight of the format ${type.formatName}, and no other quantized tensor beside it`,
    String(tensor).slice(0, 80),
    'Call dequantize() on the other one.',
  )
}
