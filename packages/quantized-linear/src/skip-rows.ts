/** @file Which weights configs with a scale for each row leave alone. */

import { skip, skipUnlessWeight, type Skipped, type Tensor } from '@ao/base-tensor'

/** Why `weight` is not quantized by rows; undefined where it is. torchao leaves rows of one element alone. */
export function skipUnlessRows(weight: Tensor): Skipped | undefined {
  const skipped = skipUnlessWeight(weight)
  if (skipped || weight.shape.at(-1) !== 1) return skipped
  return skip(`its shape [${weight.shape.join(', ')}] has rows of one element`)
}
