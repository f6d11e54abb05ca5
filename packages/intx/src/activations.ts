/** @file How inputs of products are quantized, token by token. */

import { asDense, reshape, type FloatDType, type Tensor } from '@ao/base-tensor'
import {
  chooseQparamsAffine,
  dequantizeAffine,
  quantizeAffine,
  type MappingType,
  type QuantBounds,
} from '@ao/quant-primitives'

/**
 * `int8_asym_per_token`: codes -128..127 with a zero point, by a scale in the dtype of the input; torchao's only
 * one. `int4_sym_per_token`: codes -8..7 around zero, by a scale in float32; of
 * {@link Int4DynamicActivationInt4WeightConfig}, which torchao no longer has.
 */
export type IntxActivation = 'int8_asym_per_token' | 'int4_sym_per_token'

/** All of {@link IntxActivation}. */
export const INTX_ACTIVATIONS: readonly IntxActivation[] = [
  'int8_asym_per_token',
  'int4_sym_per_token',
]

/** What a name stands for. */
export interface ActivationRule {
  readonly mappingType: MappingType
  readonly bounds: QuantBounds
  /** That of the input unless given. */
  readonly scaleDtype?: FloatDType
  /** The smallest normal number of the input's dtype unless given. */
  readonly eps?: number
}

const RULES: Readonly<Record<IntxActivation, ActivationRule>> = {
  int8_asym_per_token: {
    mappingType: 'ASYMMETRIC',
    bounds: { quantMin: -128, quantMax: 127 },
  },
  int4_sym_per_token: {
    mappingType: 'SYMMETRIC',
    bounds: { quantMin: -8, quantMax: 7 },
    scaleDtype: 'float32',
    eps: 2 ** -23,
  },
}

/** The rule of a name. */
export function activationRule(name: IntxActivation): ActivationRule {
  return RULES[name]
}

/** What is left of `x` (..., K) after it was quantized: (M, K), in its dtype. */
export function fakeQuantizeActivation(x: Tensor, name: IntxActivation): Tensor {
  const { mappingType, bounds, scaleDtype, eps } = activationRule(name)
  const k = x.shape.at(-1) as number
  const rows = reshape(x, [-1, k])
  const block = [1, k]
  const { scale, zeroPoint } = chooseQparamsAffine(rows, mappingType, block, 'int8', {
    ...{ ...bounds, eps, scaleDtype, zeroPointDtype: 'int8', keepdim: true, finite: true },
  })
  const codes = quantizeAffine(rows, block, scale, zeroPoint, 'int8', bounds)
  const outputDtype = x.dtype as FloatDType
  return asDense(dequantizeAffine(codes, block, scale, zeroPoint, 'int8', { outputDtype }))
}
