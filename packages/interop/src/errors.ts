/** @file What this package's messages share. */

import type { Tensor } from '@ao/base-tensor'

export const PACKAGE = '@ao/interop'

/** A tensor for a message: `int8 [4, 32]`. */
export function describe({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>): string {
  return `${dtype} [${shape.join(', ')}]`
}
