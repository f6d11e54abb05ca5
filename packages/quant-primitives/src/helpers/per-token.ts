/** @file Activations with one scale for each token: each row of the last dimension. */

import { takes } from '@ao/base-tensor'
import type { StoredDType, Tensor } from '@ao/base-tensor'
import { getBlockSize, PerToken } from '@ao/granularity'
import { dequantizeAffine, quantizeAffine } from '../affine.ts'
import { floatDTypeOf } from '../arithmetic.ts'
import { chooseQparamsAffine } from '../choose-qparams.ts'

/** Activations as int8 codes, with one scale for each token. */
export interface QuantizedActivation {
  /** int8, of the input's shape. */
  readonly quantized: Tensor
  /** The input's shape without its last dimension. */
  readonly scale: Tensor
}

/**
 * Symmetric int8 codes in -127..127; torchao's `_quantize_activation_per_token_absmax`.
 *
 * Scales have the input's dtype, and float32 where that is float16.
 *
 * @throws {@link DTypeError} for an input that is not floating
 */
export function quantizeActivationPerTokenAbsmax(input: Tensor): QuantizedActivation {
  takes('t', input)
  const blockSize = getBlockSize(input.shape, PerToken())
  const bounds = { quantMin: -127, quantMax: 127 }
  const { scale, zeroPoint } = chooseQparamsAffine(input, 'SYMMETRIC', blockSize, 'int8', {
    ...bounds,
    eps: 1e-5,
    scaleDtype: input.dtype === 'float16' ? 'float32' : input.dtype,
  })
  return { quantized: quantizeAffine(input, blockSize, scale, zeroPoint, 'int8', bounds), scale }
}

/** Options of {@link perTokenDynamicQuant}. */
export interface PerTokenDynamicQuantOptions {
  /** float32 unless given. */
  readonly scaleDtype?: StoredDType | undefined
  /** float32 unless given. */
  readonly zeroPointDtype?: StoredDType | undefined
  /** The smallest scale; the smallest normal number of the input's dtype unless given. */
  readonly eps?: number | undefined
}

/**
 * `input` quantized to asymmetric int8 and dequantized again; torchao's `per_token_dynamic_quant`.
 *
 * @throws {@link DTypeError} for an input that is not floating
 */
export function perTokenDynamicQuant(
  input: Tensor,
  options: PerTokenDynamicQuantOptions = {},
): Tensor {
  takes('to?', input, options)
  const { scaleDtype = 'float32', zeroPointDtype = 'float32', eps } = options
  const blockSize = getBlockSize(input.shape, PerToken())
  const { scale, zeroPoint } = chooseQparamsAffine(input, 'ASYMMETRIC', blockSize, 'int8', {
    eps,
    scaleDtype,
    zeroPointDtype,
  })
  const codes = quantizeAffine(input, blockSize, scale, zeroPoint, 'int8')
  return dequantizeAffine(codes, blockSize, scale, zeroPoint, 'int8', {
    outputDtype: floatDTypeOf(input),
  })
}
