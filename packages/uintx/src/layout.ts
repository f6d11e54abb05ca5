/** @file What weights of this package are made of: codes as `bits/layout.ts` of @ao/quantized-linear has them. */

import { errorsOf, ValueError, type ErrorMaker } from '@ao/base-tensor'
import {
  bitsPacking,
  blockwiseViews,
  type BitsFields,
  type BlockwiseViews,
} from '@ao/quantized-linear'

export const PACKAGE = '@ao/uintx'

export const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

/** What both classes have. */
export interface UintxFields extends BitsFields {
  /** Bits of a code: from 0 on, but for 8 bits, which are -128..127. */
  readonly bitWidth: number
}

/** @throws {@link ValueError} unless `bits` is one of `allowed` */
export function checkBitWidth(bits: number, allowed: readonly number[]): void {
  if (!allowed.includes(bits)) throw fail(ValueError, `a bitWidth of ${allowed.join(', ')}`, bits)
}

/** Views of weights whose other attributes `attributesOf` gives. */
/* @__NO_SIDE_EFFECTS__ */
export function uintxViews<Fields extends UintxFields>(
  attributesOf: (fields: Fields) => object,
): BlockwiseViews<Fields> {
  return blockwiseViews<Fields>({
    packageName: PACKAGE,
    packing: (fields) => bitsPacking(fields, fields.bitWidth),
    attributesOf: (fields) => ({
      ...{ dtype: fields.dtype, bitWidth: fields.bitWidth, codes: fields.qdata.dtype },
      ...attributesOf(fields),
    }),
  })
}
