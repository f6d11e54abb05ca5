/** @file Weights with one symmetric scale for each group of neighbours in a row. */

import { type FloatDType, type Tensor, takes } from '@ao/base-tensor'
import { quantizeAffine } from '../affine.ts'
import type { MappingType } from '../bounds.ts'
import { chooseQparamsAffine, type AffineQparams } from '../choose-qparams.ts'
import { checkBits, groupBlock } from './groupwise.ts'
import type { QuantizedWithQparams } from './per-channel.ts'

/** Options of {@link getGroupQparamsSymmetric}. */
export interface GroupSymmetricOptions {
  /** 4 unless given; at most 8. */
  readonly nBit?: number | undefined
  /** 128 unless given; all of a row where that is shorter. */
  readonly groupSize?: number | undefined
  /** The dtype of scales and zero points; float32 unless given. */
  readonly precision?: FloatDType | undefined
  /** `SYMMETRIC` unless given. */
  readonly mappingType?: MappingType | undefined
  /** The smallest scale; the smallest normal number of the weight's dtype unless given. */
  readonly eps?: number | undefined
}

/**
 * Scales and zero points (N, K/g) of a weight (N, K); torchao's `get_group_qparams_symmetric`.
 *
 * @throws {@link ShapeError} when groups do not divide the rows
 * @throws {@link ValueError} for more than 8 bits or groups of 1
 */
export function getGroupQparamsSymmetric(
  weight: Tensor,
  options: GroupSymmetricOptions = {},
): AffineQparams {
  takes('to?', weight, options)
  const { nBit = 4, groupSize = 128, precision = 'float32', mappingType = 'SYMMETRIC' } = options
  checkBits(nBit)
  return chooseQparamsAffine(weight, mappingType, groupBlock(weight, groupSize), 'int8', {
    quantMin: -(2 ** (nBit - 1)),
    quantMax: 2 ** (nBit - 1) - 1,
    eps: options.eps,
    scaleDtype: precision,
    zeroPointDtype: precision,
    keepdim: true,
  })
}

/**
 * int8 codes (N, K) of a weight, scales and zero points (N, K/g); torchao's
 * `group_quantize_tensor_symmetric`.
 *
 * @remarks As in torchao, codes are those of 4 bits, -8..7, whatever `nBit` the scales were chosen for.
 * @throws as {@link getGroupQparamsSymmetric}
 */
export function groupQuantizeTensorSymmetric(
  weight: Tensor,
  options: GroupSymmetricOptions = {},
): QuantizedWithQparams {
  takes('to?', weight, options)
  const qparams = getGroupQparamsSymmetric(weight, options)
  const block = groupBlock(weight, options.groupSize ?? 128)
  const quantized = quantizeAffine(weight, block, qparams.scale, qparams.zeroPoint, 'int8', {
    quantMin: -8,
    quantMax: 7,
  })
  return { quantized, ...qparams }
}
