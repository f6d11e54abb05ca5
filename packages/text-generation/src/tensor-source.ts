/** @file Of which tensors of a checkpoint a parameter is made. */

import { cat, transpose, unsqueeze, type Tensor } from '@ao/base-tensor'

/** Where a parameter is stored, if not under its own name and as it is. */
export interface TensorSource {
  /**
   * Names of tensors. Those of a list are joined along their rows; several lists are stacked along a new
   * first dimension, as experts are.
   */
  readonly keys: readonly (readonly string[])[]
  /** Whether even one list gets the new dimension; false unless given. */
  readonly isStacked?: boolean
  /** Whether the last two dimensions are stored the other way round; false unless given. */
  readonly isTransposed?: boolean
}

/** The source of a parameter that is stored as it is, under the name `key`. */
export const ownSource = (key: string): TensorSource => ({ keys: [[key]] })

/** Whether a parameter is one tensor of the checkpoint, as it is stored. */
export function isWholeTensor({ keys, isStacked, isTransposed }: TensorSource): boolean {
  return keys.flat().length === 1 && !isStacked && !isTransposed
}

/** A parameter of its tensors, which may be quantized if their formats have `cat`, `unsqueeze` and `transpose`. */
export function assemble(source: TensorSource, read: (key: string) => Tensor): Tensor {
  const { keys, isStacked = keys.length > 1, isTransposed = false } = source
  const joined = keys.map((list) => concatenate(list.map(read)))
  const whole = isStacked ? concatenate(joined.map((one) => unsqueeze(one, 0))) : joined[0]
  const made = whole as Tensor
  return isTransposed ? transpose(made, made.ndim - 2, made.ndim - 1).contiguous() : made
}

function concatenate(tensors: readonly Tensor[]): Tensor {
  return tensors.length === 1 ? (tensors[0] as Tensor) : cat(tensors, 0)
}
