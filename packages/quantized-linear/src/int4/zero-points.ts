/** @file Zero points of one int4 format as those of another. */

import { defineOp, fromFloat32, hostFloat32, type Op, type Tensor } from '@ao/base-tensor'

/** `zeroPoint + codes`, in its dtype: from zero points of codes -8..7 to those of 0..15, and back. */
export const moveZeroPoint: Op<[zeroPoint: Tensor, codes: number], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'quantized_linear.moveZeroPoint',
    takes: 'tn',
    reference: (zeroPoint: Tensor, codes: number): Tensor => {
      const moved = hostFloat32(zeroPoint).map((code) => code + codes)
      return fromFloat32(moved, zeroPoint.shape, zeroPoint.dtype)
    },
    meta: (zeroPoint: Tensor): Tensor => zeroPoint,
  })

/** `(8 - zeroPoint) * scale`: the value of code 8, rounded to the scale's dtype. */
export const valueOfMiddleCode: Op<[zeroPoint: Tensor, scale: Tensor], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'quantized_linear.valueOfMiddleCode',
    takes: 'tt',
    reference: (zeroPoint: Tensor, scale: Tensor): Tensor => {
      const scales = hostFloat32(scale)
      const values = hostFloat32(zeroPoint).map((zero, i) => (8 - zero) * (scales[i] as number))
      return fromFloat32(values, scale.shape, scale.dtype)
    },
    meta: (_zeroPoint: Tensor, scale: Tensor): Tensor => scale,
  })
