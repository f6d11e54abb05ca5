/**
 * @file What a plain int4 weight is made of.
 *
 * A weight of shape (N, K), or (E, N, K) for E experts, is cut into groups of g neighbours along K. Two
 * codes -8..7 share a byte, the even one in the low four bits:
 *
 *     qdata (N, K / 2)                bit 7 6 5 4 | 3 2 1 0
 *     byte j of a row                 code 2j + 1 | code 2j
 *
 *     value = code * scale + zeroPoint
 *
 * `scale` and `zeroPoint` have one element a group and lie transposed, (K / g, N): neighbours in memory
 * belong to neighbouring rows, which kernels compute side by side. So `scale.shape` is always
 * `shape / blockSize` with the last two sizes swapped, also in views: where the weight is transposed to
 * (K, N), blockSize is [g, 1] and bytes run along the first dimension.
 */

import { checkDType, type DenseTensor } from '@ao/base-tensor'
import {
  blockwiseViews,
  checkGroupedShapes,
  dtypeOfScale,
  type BlockwiseFields,
  type BlockwiseLayout,
  type BlockwiseViews,
  type Int4ActivationDType,
} from '@ao/quantized-linear'

export const PACKAGE = '@ao/int4'

/** The inner tensors and attributes of an {@link Int4Tensor}. */
export interface Int4Fields extends BlockwiseFields {
  /** int8: two codes a byte, in the shape of the weight with the packed size halved. */
  readonly qdata: DenseTensor
  /** In the weight's dtype: one element a group, transposed. */
  readonly scale: DenseTensor
  /** The value of code 0, as `scale`; zeros for weights that are quantized around zero. */
  readonly zeroPoint: DenseTensor
  /** Shape of the weight that this stands for. */
  readonly shape: readonly number[]
  /** bfloat16 unless given. */
  readonly activationDtype?: Int4ActivationDType | undefined
}

const LAYOUT: BlockwiseLayout<Int4Fields> = {
  packageName: PACKAGE,
  codesPerElement: 2,
  swapsScales: true,
  attributesOf: ({ scale, activationDtype }) => ({ dtype: scale.dtype, activationDtype }),
}

/** Views of these fields. */
export const int4Views: BlockwiseViews<Int4Fields> = /* @__PURE__ */ blockwiseViews(LAYOUT)

/** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
export function checkLayout(fields: Int4Fields): void {
  checkDType('qdata', fields.qdata, 'int8', PACKAGE)
  checkDType('zeroPoint', fields.zeroPoint, dtypeOfScale(fields.scale, PACKAGE), PACKAGE)
  checkGroupedShapes(fields, LAYOUT)
}
