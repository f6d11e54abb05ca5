/** @file Which weights the int8 configs leave alone. */

import { skip, skipUnlessWeight, type Skipped, type Tensor } from '@ao/base-tensor'

/** Why `weight` is not quantized; undefined where it is. */
export function skipReason(weight: Tensor): Skipped | undefined {
  const skipped = skipUnlessWeight(weight)
  if (skipped || weight.shape.at(-1) !== 1) return skipped
  return skip(`its shape [${weight.shape.join(', ')}] has rows of one element`)
}
