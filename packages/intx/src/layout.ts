/** @file What an {@link IntxUnpackedToInt8Tensor} is made of: codes as `bits/layout.ts` of @ao/quantized-linear has them. */

import { errorsOf, ValueError, type ErrorMaker } from '@ao/base-tensor'
import {
  bitsPacking,
  blockwiseViews,
  type BitsFields,
  type BlockwiseViews,
} from '@ao/quantized-linear'
import type { IntxActivation } from './activations.ts'

export const PACKAGE = '@ao/intx'

export const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

/** Which codes a weight has. */
export type IntxDType = `int${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`

/** The inner tensors and attributes of an {@link IntxUnpackedToInt8Tensor}. */
export interface IntxFields extends BitsFields {
  /** Which codes there are: int4 has -8..7. */
  readonly targetDtype: IntxDType
  /** How inputs of `linear` are quantized; undefined where they are not. */
  readonly activationQuantization?: IntxActivation | undefined
}

/** Whether `dtype` is int1 to int8. */
export function isIntxDType(dtype: string): dtype is IntxDType {
  return /^int[1-8]$/.test(dtype)
}

/**
 * Bits of a code.
 *
 * @throws {@link ValueError} for what is no dtype of codes
 */
export function bitsOf(dtype: IntxDType): number {
  if (!isIntxDType(dtype)) throw fail(ValueError, 'a targetDtype of int1 to int8', dtype)
  return Number(dtype.slice(3))
}

/** Views of these fields. */
export const intxViews: BlockwiseViews<IntxFields> = /* @__PURE__ */ blockwiseViews<IntxFields>({
  packageName: PACKAGE,
  packing: (fields) => bitsPacking(fields, bitsOf(fields.targetDtype)),
  attributesOf: ({ dtype, targetDtype, activationQuantization, qdata }) => ({
    ...{ dtype, targetDtype, activationQuantization, codes: qdata.dtype },
  }),
})
