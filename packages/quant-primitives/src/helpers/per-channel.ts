/** @file Weights with one scale for each output channel, or for the whole tensor. */

import {
  finfo,
  ShapeError,
  type FloatDType,
  type StoredDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { fail } from '../errors.ts'
import { dequantizeAffine, quantizeAffine } from '../affine.ts'
import { chooseQparamsAffine, type AffineQparams } from '../choose-qparams.ts'

/** Codes with their scales and zero points. */
export interface QuantizedWithQparams extends AffineQparams {
  readonly quantized: Tensor
}

/**
 * Symmetric codes of a weight (N, K), scale and zero point (N) of int64; torchao's
 * `dynamically_quantize_per_channel`.
 *
 * @throws {@link ShapeError} unless `weight` has 2 dimensions
 */
export function dynamicallyQuantizePerChannel(
  weight: Tensor,
  quantMin: number,
  quantMax: number,
  targetDtype: StoredDType,
): QuantizedWithQparams {
  takes('tnnz', weight, quantMin, quantMax, targetDtype)
  const [, k] = matrixShape(weight)
  const bounds = { quantMin, quantMax }
  const qparams = chooseQparamsAffine(weight, 'SYMMETRIC', [1, k], targetDtype, {
    ...bounds,
    eps: finfo('float32').smallestNormal,
    zeroPointDtype: 'int64',
  })
  const { scale, zeroPoint } = qparams
  const quantized = quantizeAffine(weight, [1, k], scale, zeroPoint, targetDtype, bounds)
  return { quantized, ...qparams }
}

/**
 * Values of codes (N, K) with scales and zero points (N); torchao's `dequantize_per_channel`.
 *
 * @throws {@link ShapeError} unless there are 2 dimensions and one scale for each row
 */
export function dequantizePerChannel(
  quantized: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  outputDtype: FloatDType = 'float32',
): Tensor {
  takes('tttz?', quantized, scale, zeroPoint, outputDtype)
  const [, k] = matrixShape(quantized)
  return dequantizeAffine(quantized, [1, k], scale, zeroPoint, quantized.dtype, { outputDtype })
}

/**
 * Values of codes of any shape with a single scale; torchao's `dequantize_per_tensor`.
 *
 * @throws {@link ShapeError} for more than one scale or zero point
 */
export function dequantizePerTensor(
  quantized: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  outputDtype: FloatDType = 'float32',
): Tensor {
  takes('tttz?', quantized, scale, zeroPoint, outputDtype)
  const { shape, dtype } = quantized
  return dequantizeAffine(quantized, shape, scale, zeroPoint, dtype, { outputDtype })
}

/** @throws {@link ShapeError} unless `tensor` has 2 dimensions */
export function matrixShape(tensor: Tensor): [rows: number, columns: number] {
  if (tensor.ndim === 2) return [tensor.shape[0] as number, tensor.shape[1] as number]
  throw fail(ShapeError, 'a tensor of 2 dimensions', `shape [${tensor.shape.join(', ')}]`)
}
