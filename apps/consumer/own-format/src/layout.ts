/**
 * @file Weights of -1, 0 and 1, and how they lie in memory.
 *
 *     qdata  int32 (N, K / 16)     bits 31-30 ... 3-2  1-0
 *     word w of a row                  16w+15 ... 16w+1 16w       codes 0, 1, 2 for -1, 0, 1
 *     scale  as the weight (K / g, N)  one for each group of g neighbours along K
 *     value  = (code - 1) * scale
 */

import { checkDType, type DenseTensor } from '@ao/base-tensor'
import { blockwiseViews, checkGroupedShapes, dtypeOfScale } from '@ao/quantized-linear'
import type { BlockwiseFields, BlockwiseLayout, BlockwiseViews } from '@ao/quantized-linear'

/** How messages begin. */
export const PACKAGE = 'ternary-tensor'
/** Codes in an int32. */
export const CODES = 16

export interface TernaryFields extends BlockwiseFields {
  readonly qdata: DenseTensor
  readonly scale: DenseTensor
  /** Ones, and the group size along K. */
  readonly blockSize: readonly number[]
  readonly shape: readonly number[]
}

const LAYOUT: BlockwiseLayout<TernaryFields> = {
  packageName: PACKAGE,
  codesPerElement: CODES,
  swapsScales: true,
  attributesOf: ({ scale }) => ({ dtype: scale.dtype }),
}

export const views: BlockwiseViews<TernaryFields> = /* @__PURE__ */ blockwiseViews(LAYOUT)

export function checkLayout(fields: TernaryFields): void {
  checkDType('qdata', fields.qdata, 'int32', PACKAGE)
  dtypeOfScale(fields.scale, PACKAGE)
  checkGroupedShapes(fields, LAYOUT)
}
