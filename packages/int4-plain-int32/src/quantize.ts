/** @file Quantizing: the scales and zero points of groups, and words of codes. */

import {
  DTypeError,
  errorsOf,
  isFloatDType,
  ValueError,
  type ErrorMaker,
  type Tensor,
} from '@ao/base-tensor'
import { chooseQparamsAffine, quantizeAffine } from '@ao/quant-primitives'
import { packInt4Words } from '@ao/quantized-linear'
import { PACKAGE, type Int4PlainInt32Variant } from './layout.ts'
import type { Int4PlainInt32Weight } from './linear-ops.ts'

const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

/** The smallest scale. */
const EPS = 1e-6

const BOUNDS = {
  xpu: { quantMin: 0, quantMax: 15 },
  npu: { quantMin: -8, quantMax: 7 },
} as const

/**
 * Quantizes `weight`, (N, K) or (E, N, K), as torchao does on the variant's machine.
 *
 * @throws {@link DTypeError}, {@link ShapeError} or {@link ValueError} for a weight or groups that it does
 * not take
 */
export function quantizeInt4PlainInt32(
  weight: Tensor,
  blockSize: readonly number[],
  variant: Int4PlainInt32Variant,
): Int4PlainInt32Weight {
  if (!isFloatDType(weight.dtype)) {
    throw fail(DTypeError, 'a weight of float32, float16 or bfloat16', weight.dtype)
  }
  if (variant === 'npu') checkNpuGroups(weight, blockSize.at(-1) as number)
  const bounds = BOUNDS[variant]
  const { scale, zeroPoint } = chooseQparamsAffine(weight, 'ASYMMETRIC', blockSize, 'int32', {
    ...bounds,
    eps: EPS,
    zeroPointDtype: variant === 'xpu' ? 'int8' : weight.dtype,
    keepdim: true,
    finite: true,
  })
  const codes = quantizeAffine(weight, blockSize, scale, zeroPoint, 'int8', bounds)
  const asStored = (qparam: Tensor): Tensor => qparam.transpose(-2, -1).contiguous()
  return [packInt4Words(codes, false), asStored(scale), asStored(zeroPoint)]
}

function checkNpuGroups({ shape }: Tensor, group: number): void {
  const k = shape.at(-1) as number
  if (group % 32 === 0 && group < k) return
  throw fail(
    ValueError,
    `a group size that is a multiple of 32 and smaller than K = ${k}, for the variant npu`,
    group,
  )
}
