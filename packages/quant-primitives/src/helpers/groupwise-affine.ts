/** @file Weights with one scale and zero point for each group of neighbours in a row. */

import { type FloatDType, type Tensor, takes } from '@ao/base-tensor'
import { dequantizeAffine, quantizeAffine } from '../affine.ts'
import { floatDTypeOf } from '../arithmetic.ts'
import type { QuantBounds } from '../bounds.ts'
import {
  chooseQparamsAffine,
  chooseQparamsAffineDontPreserveZero,
  chooseQparamsAffineTinygemm,
  type AffineQparams,
} from '../choose-qparams.ts'
import type { ZeroPointDomain } from '../fake-quantize.ts'
import { checkBits, groupBlock } from './groupwise.ts'
import { packTinygemmScalesAndZeros, unpackTinygemmScalesAndZeros } from './tinygemm-scales.ts'
import { dequantizeAffineTinygemm, quantizeAffineTinygemm } from '../tinygemm.ts'

/** What the group-wise helpers have in common. */
export interface GroupwiseOptions {
  /** 4 unless given; at most 8. */
  readonly nBit?: number | undefined
  /** 128 unless given; all of a row where that is shorter. */
  readonly groupSize?: number | undefined
  /** `FLOAT`, tinygemm's zero point, unless given. */
  readonly zeroPointDomain?: Exclude<ZeroPointDomain, 'NONE'> | undefined
}

/** Options of {@link getGroupwiseAffineQparams}. */
export interface GroupwiseQparamsOptions extends GroupwiseOptions {
  /** The dtype of scales and of floating zero points; bfloat16 unless given. */
  readonly dtype?: FloatDType | undefined
  /** Whether ranges are widened to include zero; false unless given. */
  readonly preserveZero?: boolean | undefined
  /** The smallest scale; 1e-6 unless given. */
  readonly eps?: number | undefined
}

/**
 * Scales and zero points (N, K/g) for codes from 0 of a weight (N, K); torchao's
 * `get_groupwise_affine_qparams`. Zero points of the domain `INT` are int32.
 *
 * @throws {@link ShapeError} when groups do not divide the rows
 * @throws {@link ValueError} for more than 8 bits or groups of 1
 */
export function getGroupwiseAffineQparams(
  weight: Tensor,
  options: GroupwiseQparamsOptions = {},
): AffineQparams {
  takes('to?', weight, options)
  const { groupSize = 128, dtype = 'bfloat16', zeroPointDomain = 'FLOAT' } = options
  return chooser(zeroPointDomain, options.preserveZero ?? false)(
    weight,
    'ASYMMETRIC',
    groupBlock(weight, groupSize),
    'int32',
    {
      ...codeBounds(options.nBit),
      eps: options.eps ?? 1e-6,
      scaleDtype: dtype,
      zeroPointDtype: zeroPointDomain === 'INT' ? 'int32' : dtype,
      keepdim: true,
    },
  )
}

function chooser(domain: ZeroPointDomain, preserveZero: boolean): typeof chooseQparamsAffine {
  if (preserveZero) return chooseQparamsAffine
  return domain === 'FLOAT' ? chooseQparamsAffineTinygemm : chooseQparamsAffineDontPreserveZero
}

function codeBounds(nBit: number = 4): QuantBounds {
  checkBits(nBit)
  return { quantMin: 0, quantMax: 2 ** nBit - 1 }
}

/**
 * int32 codes (N, K), one in each element, of a weight; torchao's
 * `groupwise_affine_quantize_tensor_from_qparams` on the CPU.
 *
 * @param scale - (N, K/g), as {@link getGroupwiseAffineQparams} gives it; `zeroPoint` too
 * @throws as {@link getGroupwiseAffineQparams}
 */
export function groupwiseAffineQuantizeTensorFromQparams(
  weight: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  options: GroupwiseOptions = {},
): Tensor {
  takes('ttto?', weight, scale, zeroPoint, options)
  const { groupSize = 128, zeroPointDomain = 'FLOAT' } = options
  const quantize = zeroPointDomain === 'FLOAT' ? quantizeAffineTinygemm : quantizeAffine
  const block = groupBlock(weight, groupSize)
  return quantize(weight, block, scale, zeroPoint, 'int32', codeBounds(options.nBit))
}

/**
 * Values of int32 codes (N, K), in the scale's dtype; torchao's
 * `groupwise_affine_dequantize_tensor_from_qparams` on the CPU.
 *
 * @throws as {@link getGroupwiseAffineQparams}
 */
export function groupwiseAffineDequantizeTensorFromQparams(
  codes: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  options: GroupwiseOptions = {},
): Tensor {
  takes('ttto?', codes, scale, zeroPoint, options)
  const { groupSize = 128, zeroPointDomain = 'FLOAT' } = options
  const dequantize = zeroPointDomain === 'FLOAT' ? dequantizeAffineTinygemm : dequantizeAffine
  return dequantize(codes, groupBlock(codes, groupSize), scale, zeroPoint, 'int32', {
    ...codeBounds(options.nBit),
    outputDtype: floatDTypeOf(scale, 'the scale'),
  })
}

/** int32 codes (N, K) with their scales and zero points (K/g, N, 2) in tinygemm's order. */
export interface GroupwiseQuantized {
  readonly quantized: Tensor
  readonly scalesAndZeros: Tensor
}

/**
 * Codes of a weight (N, K) with qparams of its own; torchao's `groupwise_affine_quantize_tensor`.
 *
 * @throws as {@link getGroupwiseAffineQparams}
 * @throws {@link DTypeError} in the domain `INT`, whose zero points do not pack with scales
 */
export function groupwiseAffineQuantizeTensor(
  weight: Tensor,
  options: GroupwiseQparamsOptions = {},
): GroupwiseQuantized {
  takes('to?', weight, options)
  const { scale, zeroPoint } = getGroupwiseAffineQparams(weight, options)
  return {
    quantized: groupwiseAffineQuantizeTensorFromQparams(weight, scale, zeroPoint, options),
    scalesAndZeros: packTinygemmScalesAndZeros(scale, zeroPoint, options.dtype),
  }
}

/**
 * Values of what {@link groupwiseAffineQuantizeTensor} gave; torchao's
 * `groupwise_affine_dequantize_tensor`.
 *
 * @throws as {@link getGroupwiseAffineQparams}
 */
export function groupwiseAffineDequantizeTensor(
  codes: GroupwiseQuantized,
  options: GroupwiseOptions = {},
): Tensor {
  takes('o<quantized:t scalesAndZeros:t>', codes)
  const { quantized, scalesAndZeros } = codes
  const { scale, zeroPoint } = unpackTinygemmScalesAndZeros(scalesAndZeros)
  return groupwiseAffineDequantizeTensorFromQparams(quantized, scale, zeroPoint, options)
}
