/** @file Numbers to codes with given scales, and codes to numbers. */

import {
  numelOf,
  promote,
  rounder,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { kernel, type Kernel } from '@ao/kernels-webgpu'
import {
  checkDequantize,
  checkQuantize,
  checkZeroPoint,
  dequantizeAffine,
  quantizeAffine,
} from '../affine.ts'
import { blockGrid, checkBlockCount } from '../blocks.ts'
import { quantBounds, type QuantBounds } from '../bounds.ts'
import { convertBlocks, converter, isConvertible, type Conversion } from './convert.ts'
import dequantizeSource from './dequantize.wgsl'
import quantizeSource from './quantize.wgsl'
import { CONTIGUOUS_BLOCKS } from './contiguous-blocks.ts'

const quantizer = /* @__PURE__ */ converter('quantizeAffine', quantizeSource)
const dequantizer = /* @__PURE__ */ converter('dequantizeAffine', dequantizeSource)

/** What the variants of conversions are called. */
export const NAME = 'four elements a thread'

/** How codes of `input` are computed: `clamp(round(x * (1 / scale)) + zeroPoint)`. */
export function quantizing(
  input: Tensor,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  to: StoredDType,
  { quantMin, quantMax }: QuantBounds,
): Conversion {
  const PRODUCT = promote(input.dtype, scale.dtype) as FloatDType
  const SUM = zeroPoint ? (promote(PRODUCT, zeroPoint.dtype) as FloatDType) : PRODUCT
  return {
    program: quantizer,
    to,
    bounds: { quantMin: rounder(SUM)(quantMin), quantMax: rounder(SUM)(quantMax) },
    roundings: { SCALE: scale.dtype as FloatDType, PRODUCT, SUM },
  }
}

/** Refuses scales and zero points of another number than blocks. */
export function checkCounts(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint?: Tensor,
): void {
  const count = numelOf(blockGrid(input.shape, blockSize))
  checkBlockCount(scale, count, 'the scale')
  if (zeroPoint) checkBlockCount(zeroPoint, count, 'the zero point')
}

/** How {@link quantizeAffine} runs. */
export const quantizeKernel: Kernel = /* @__PURE__ */ kernel(quantizeAffine, [
  {
    name: NAME,
    when: CONTIGUOUS_BLOCKS,
    fits: (_gpu, ...[input, blockSize, scale, zeroPoint]) =>
      isConvertible(input, blockSize, scale, zeroPoint),
    run: (gpu, input, blockSize, scale, zeroPoint, outputDtype, options) => {
      checkZeroPoint(zeroPoint)
      checkCounts(input, blockSize, scale, zeroPoint)
      const { storage, bounds } = checkQuantize(input, outputDtype, options)
      const steps = quantizing(input, scale, zeroPoint, storage, bounds)
      return convertBlocks(gpu, input, scale, zeroPoint, steps)
    },
  },
])

/** How {@link dequantizeAffine} runs. */
export const dequantizeKernel: Kernel = /* @__PURE__ */ kernel(dequantizeAffine, [
  {
    name: NAME,
    when: CONTIGUOUS_BLOCKS,
    fits: (_gpu, ...[input, blockSize, scale, zeroPoint]) =>
      isConvertible(input, blockSize, scale, zeroPoint),
    run: (gpu, input, blockSize, scale, zeroPoint, inputDtype, options) => {
      checkCounts(input, blockSize, scale, zeroPoint)
      const to = checkDequantize(input, inputDtype, options)
      return convertBlocks(gpu, input, scale, zeroPoint, {
        program: dequantizer,
        to,
        bounds: quantBounds(inputDtype, options),
        roundings: { OUT: to, PRODUCT: promote(to, scale.dtype) as FloatDType },
      })
    },
  },
])
