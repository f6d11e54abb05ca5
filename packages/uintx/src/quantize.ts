/** @file From a dense weight to codes, scales and zero points. */

import {
  asDense,
  cast,
  DenseTensor,
  fromArray,
  fromFloat32,
  hostFloat32,
  mul,
  ValueError,
  zeros,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { checkGroupSize } from '@ao/granularity'
import {
  chooseQparamsAffine,
  chooseQparamsAndQuantizeAffineHqq,
  optimizeWeightsProximalLegacy,
  quantizeAffine,
} from '@ao/quant-primitives'
import { checkFloat, groupBlockSize } from '@ao/quantized-linear'
import { fail, type UintxFields } from './layout.ts'

type Quantized = Omit<UintxFields, 'actPreScale' | 'shape'>

/** A weight (N, K) and its groups of neighbours along K: `groupSize` of them, or all where -1. */
export function groupsOf(
  weight: Tensor,
  groupSize: number,
): { readonly blockSize: readonly number[]; readonly dtype: FloatDType } {
  const dtype = checkFloat(asDense(weight, 'what is quantized'))
  const k = weight.shape.at(-1) as number
  if (groupSize !== -1) checkGroupSize(k, groupSize, { fail })
  return { blockSize: groupBlockSize(weight.ndim, groupSize === -1 ? k : groupSize), dtype }
}

/**
 * Codes from 0 on by HQQ; `value = (code - zeroPoint) * scale`. Scales and zero points are of float16, as are the
 * iterations: torchao makes such weights on a GPU.
 *
 * @throws {@link ValueError} for a weight that is not (N, K)
 */
export function quantizeHqq(weight: Tensor, bits: number, groupSize: number): Quantized {
  const { blockSize, dtype } = groupsOf(weight, groupSize)
  if (weight.ndim !== 2) throw fail(ValueError, 'a weight (N, K) for HQQ', weight.shape)
  const computeDtype = 'float16'
  const { qdata, scale, zeroPoint } = chooseQparamsAndQuantizeAffineHqq(weight, {
    ...{ nbits: bits, groupSize: blockSize.at(-1) as number, computeDtype, rawOutput: true },
    optimizeWeights: (...problem) => optimizeWeightsProximalLegacy(...problem, { computeDtype }),
  })
  checkSolved(weight, scale, zeroPoint, 2 ** bits - 1)
  return {
    ...{ qdata: asDense(cast(qdata, 'int8')), scale: asDense(scale), blockSize, dtype },
    ...{ zeroPoint: asDense(zeroPoint), bitWidth: bits },
  }
}

/** @throws {@link ValueError} where numbers of `weight` are beyond what HQQ computes with */
function checkSolved(weight: Tensor, scale: Tensor, zeroPoint: Tensor, maxCode: number): void {
  if (weight.device.isHost !== true) return
  const [scales, zeros] = [hostFloat32(scale), hostFloat32(zeroPoint)]
  const ends = [0, maxCode].flatMap((code) =>
    [...zeros].map((zero, i) => (code - zero) * (scales[i] as number)),
  )
  const values = fromFloat32(Float32Array.from(ends), [ends.length], weight.dtype)
  if (hostFloat32(values).every(Number.isFinite)) return
  throw fail(
    ValueError,
    'weights that HQQ can compute with in float16: within 65504 of 0, and within 3.2 where all of a group are equal',
    `weights up to ${hostFloat32(weight).reduce((peak, x) => Math.max(peak, Math.abs(x)), 0)}`,
    'Take 8 bits, or another format, for this weight.',
  )
}

/** Codes from 0 on that span the range of each group, with scales in the dtype of the weight. */
export function quantizeAsymmetric(weight: Tensor, bits: number, groupSize: number): Quantized {
  const { blockSize, dtype } = groupsOf(weight, groupSize)
  const bounds = { quantMin: 0, quantMax: 2 ** bits - 1 }
  const { scale, zeroPoint } = chooseQparamsAffine(weight, 'ASYMMETRIC', blockSize, 'uint8', {
    ...{ ...bounds, eps: 2 ** -23, zeroPointDtype: 'int8', keepdim: true, finite: true },
  })
  const codes = quantizeAffine(weight, blockSize, scale, zeroPoint, 'int8', bounds)
  return {
    ...{ qdata: asDense(codes), scale: asDense(scale), zeroPoint: asDense(zeroPoint) },
    ...{ blockSize, dtype, bitWidth: bits },
  }
}

/** Codes -128..127 around zero, with a scale a row in the dtype of the weight. */
export function quantizeSymmetric8(weight: Tensor): Quantized {
  const { blockSize, dtype } = groupsOf(weight, -1)
  const bounds = { quantMin: -128, quantMax: 127 }
  const { scale } = chooseQparamsAffine(weight, 'SYMMETRIC', blockSize, 'int8', {
    ...{ ...bounds, eps: 1e-5, zeroPointDtype: 'int8', keepdim: true, finite: true },
  })
  const zeroPoint = zeros(scale.shape, 'int8', weight.device)
  const qdata = quantizeAffine(weight, blockSize, scale, zeroPoint, 'int8', bounds)
  return {
    ...{ qdata: asDense(qdata), scale: asDense(scale), zeroPoint, blockSize, dtype, bitWidth: 8 },
  }
}

/**
 * The zero points that weights of `value = code * scale + shift` have: float32, from which {@link shiftsOf} gives
 * the same shifts to the bit.
 */
export function zeroPointsOf(shift: Tensor, scale: Tensor): DenseTensor {
  if (shift.device.name === 'meta') return zeros(shift.shape, 'float32', shift.device)
  const scales = hostFloat32(scale)
  const zero = hostFloat32(shift).map((value, i) => {
    const own = scales[i] as number
    return own === 0 ? 0 : Math.fround(-value / own)
  })
  return fromArray(zero, shift.shape, 'float32')
}

/** {@link zeroPointsOf} undone, in the dtype of `scale`, on any device. */
export function shiftsOf(zeroPoint: Tensor, scale: Tensor): DenseTensor {
  const minus = new DenseTensor(scale.device.upload('float32', Float32Array.of(-1)), [1])
  return asDense(cast(mul(mul(zeroPoint, cast(scale, 'float32')), minus), scale.dtype))
}
