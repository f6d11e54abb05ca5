/**
 * @file What an int4 weight in int32 words is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K. Eight
 * codes share a word, the first in the lowest four bits:
 *
 *     qdata (N, K / 8)       bits 31-28   27-24   23-20   19-16   15-12   11-8    7-4     3-0
 *     word c of a row        code 8c + 7  8c + 6  8c + 5  8c + 4  8c + 3  8c + 2  8c + 1  8c
 *
 *     value = (code - zeroPoint) * scale
 *
 * torchao writes two variants, which the dtype of `zeroPoint` tells apart:
 *
 *     on an XPU   codes 0..15    zeroPoint int8, 0..15
 *     on an NPU   codes -8..7    zeroPoint of the weight's dtype, whole numbers -8..7
 *
 * `scale` and `zeroPoint` have one element a group and lie transposed, (K / g, N): neighbours in memory
 * belong to neighbouring rows, which kernels compute side by side. So `scale.shape` is always
 * `shape / blockSize` with the last two sizes swapped, also in views: where the weight is transposed to
 * (K, N), blockSize is [g, 1] and words run along the first dimension.
 */

import { checkDType, type DenseTensor, type Tensor } from '@ao/base-tensor'
import {
  blockwiseViews,
  checkGroupedShapes,
  dtypeOfScale,
  type BlockwiseFields,
  type BlockwiseLayout,
  type BlockwiseViews,
} from '@ao/quantized-linear'

export const PACKAGE = '@ao/int4-plain-int32'

/** Codes in an int32. A group is whole words, so its size is a multiple of this. */
export const CODES_PER_WORD = 8

/** The machine whose torchao writes codes so: `xpu` from 0 to 15, `npu` from -8 to 7. */
export type Int4PlainInt32Variant = 'xpu' | 'npu'

/** The inner tensors and attributes of an {@link Int4PlainInt32Tensor}. */
export interface Int4PlainInt32Fields extends BlockwiseFields {
  /** int32: eight codes a word, in the shape of the weight with the packed size divided by 8. */
  readonly qdata: DenseTensor
  /** In the weight's dtype: one element a group, transposed. */
  readonly scale: DenseTensor
  /** The code that stands for 0, as `scale`; its dtype tells the variant. */
  readonly zeroPoint: DenseTensor
  /** Shape of the weight that this stands for. */
  readonly shape: readonly number[]
}

const LAYOUT: BlockwiseLayout<Int4PlainInt32Fields> = {
  packageName: PACKAGE,
  codesPerElement: CODES_PER_WORD,
  swapsScales: true,
  attributesOf: ({ scale, zeroPoint }) => ({ dtype: scale.dtype, variant: variantOf(zeroPoint) }),
}

/** Views of these fields. */
export const plainInt32Views: BlockwiseViews<Int4PlainInt32Fields> =
  /* @__PURE__ */ blockwiseViews(LAYOUT)

/** Which codes a weight has, by its zero points. */
export function variantOf(zeroPoint: Tensor): Int4PlainInt32Variant {
  return zeroPoint.dtype === 'int8' ? 'xpu' : 'npu'
}

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int4PlainInt32Fields): void {
  checkDType('qdata', fields.qdata, 'int32', PACKAGE)
  const dtypes = ['int8', dtypeOfScale(fields.scale, PACKAGE)] as const
  checkDType('zeroPoint', fields.zeroPoint, dtypes, PACKAGE)
  checkGroupedShapes(fields, LAYOUT)
}
