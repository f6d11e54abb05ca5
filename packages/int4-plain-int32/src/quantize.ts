/** @file Quantizing: the scales and zero points of groups, and words of codes. */

import {
  defineOp,
  DTypeError,
  errorsOf,
  fromArray,
  hostArray,
  isFloatDType,
  ValueError,
  zeros,
  type ErrorMaker,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { chooseQparamsAffine, quantizeAffine } from '@ao/quant-primitives'
import { groupBlockSize, packNibbles } from '@ao/quantized-linear'
import { PACKAGE, variantOf, type Int4PlainInt32Variant } from './layout.ts'
import { packedShape } from './pack.ts'

const fail: ErrorMaker = /* @__PURE__ */ errorsOf(PACKAGE)

/** The smallest scale. */
const EPS = 1e-6

const BOUNDS = {
  xpu: { quantMin: 0, quantMax: 15 },
  npu: { quantMin: -8, quantMax: 7 },
} as const

/** The stored parts of a weight (N, K): `qdata` (N, K / 8), `scale` and `zeroPoint` (K / g, N). */
export type Int4PlainInt32Weight = readonly [qdata: Tensor, scale: Tensor, zeroPoint: Tensor]

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
  const { scale, zeroPoint } = chooseQparamsAffine(weight, 'ASYMMETRIC', blockSize, 'int32', {
    ...BOUNDS[variant],
    eps: EPS,
    zeroPointDtype: variant === 'xpu' ? 'int8' : weight.dtype,
    keepdim: true,
    finite: true,
  })
  const scales = scale.transpose(-2, -1).contiguous()
  const zeroPoints = zeroPoint.transpose(-2, -1).contiguous()
  return [quantizeToWords(weight, scales, zeroPoints), scales, zeroPoints]
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

/**
 * Words of the codes `clamp(round(x * (1 / scale)) + zeroPoint)`, as `quantizeAffine` has them.
 *
 * `scale` and `zeroPoint` as they are stored.
 */
export const quantizeToWords: Op<[weight: Tensor, scale: Tensor, zeroPoint: Tensor], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'int4_plain_int32.quantize',
    takes: 'ttt',
    reference: (weight: Tensor, scale: Tensor, zeroPoint: Tensor): Tensor => {
      const codes = quantizeToCodes(weight, scale, zeroPoint)
      const bytes = packNibbles(hostArray(codes) as Int8Array)
      return fromArray(new Int32Array(bytes.buffer), packedShape(weight), 'int32')
    },
    meta: (weight: Tensor): Tensor => zeros(packedShape(weight), 'int32', weight.device),
  })

/** Those codes, one to an int8: 0..15, or -8..7 for the variant `npu`. */
export function quantizeToCodes(weight: Tensor, scale: Tensor, zeroPoint: Tensor): Tensor {
  const groupSize = (weight.shape.at(-1) as number) / (scale.shape.at(-2) as number)
  const blockSize = groupBlockSize(weight.ndim, groupSize)
  const [scales, zeroPoints] = [scale, zeroPoint].map(inOrderOfBlocks) as [Tensor, Tensor]
  const bounds = BOUNDS[variantOf(zeroPoint)]
  return quantizeAffine(weight, blockSize, scales, zeroPoints, 'int8', bounds)
}

/** (K / g, N) as (N, K / g). */
function inOrderOfBlocks(qparam: Tensor): Tensor {
  return qparam.transpose(-2, -1).contiguous()
}
