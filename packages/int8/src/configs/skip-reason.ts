/** @file Which weights the int8 configs leave alone. */

import { isFloatDType, isTensorSubclass, skip, type Skipped, type Tensor } from '@ao/base-tensor'

/** Why `weight` is not quantized; undefined where it is. */
export function skipReason(weight: Tensor): Skipped | undefined {
  if (isTensorSubclass(weight)) return skip('it is quantized already')
  if (!isFloatDType(weight.dtype)) return skip(`its dtype ${weight.dtype} is not floating`)
  const shape = `[${weight.shape.join(', ')}]`
  if (weight.ndim < 2 || weight.ndim > 3)
    return skip(`its shape ${shape} is not (N, K) or (E, N, K)`)
  if (weight.numel === 0) return skip(`its shape ${shape} has no elements`)
  if (weight.shape.at(-1) === 1) return skip(`its shape ${shape} has rows of one element`)
  return undefined
}
