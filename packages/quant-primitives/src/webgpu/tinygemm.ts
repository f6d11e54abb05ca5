/** @file Kernels of the ops with floating zero points, and of those without. */

import { promote, rounder, type FloatDType, type StoredDType, type Tensor } from '@ao/base-tensor'
import { kernel, type Defines, type KernelSet, type ProgramMaker } from '@ao/kernels-webgpu'
import {
  checkDequantize,
  checkQuantize,
  checkZeroPoint,
  quantizeAffineNoZeroPoint,
} from '../affine.ts'
import { quantBounds, type QuantBounds } from '../bounds.ts'
import {
  chooseQparamsAffineDontPreserveZero,
  chooseQparamsAffineTinygemm,
} from '../choose-qparams.ts'
import { dequantizeAffineTinygemm, LARGE_STEP, quantizeAffineTinygemm } from '../tinygemm.ts'
import { checkCounts, NAME, quantizing } from './affine.ts'
import { affineWriter, chooseKernel, qparamsWriter } from './choose.ts'
import { convertBlocks, converter, isConvertible, type Conversion } from './convert.ts'
import { ruleDefines } from './rounding.ts'
import rulesSource from './int4-rules.wgsl'
import { CONTIGUOUS_BLOCKS } from './contiguous-blocks.ts'
import { rangeToQparamsWgsl } from './snippets.ts'
import source from './tinygemm.wgsl'

/** Writes what the rules of 4-bit codes choose. */
export const int4Writer: ProgramMaker = /* @__PURE__ */ qparamsWriter(
  'qparamsInt4',
  rangeToQparamsWgsl + rulesSource,
)

/** Converts by the distance from the lowest number of a block, and by true divisions. */
export const tinygemmConverter: ProgramMaker = /* @__PURE__ */ converter('affineTinygemm', source)

/** Defines of {@link tinygemmConverter} for scales that were chosen to stay finite: `dtype` is that of differences. */
export function finiteQuantizing(dtype: FloatDType): Defines {
  return { FINITE: true, LARGE_STEP: `${LARGE_STEP[dtype]}f` }
}

/** `clamp(round((x - lowest) / scale))`, where `lowest` is `zeroPoint - scale * middle`. */
function quantizingTinygemm(
  input: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  to: StoredDType,
  { quantMin, quantMax }: QuantBounds,
  isFinite: boolean,
): Conversion {
  const LOWEST = promote(zeroPoint.dtype, scale.dtype) as FloatDType
  const PRODUCT = promote(input.dtype, LOWEST) as FloatDType
  const SUM = promote(PRODUCT, scale.dtype) as FloatDType
  return {
    program: tinygemmConverter,
    to,
    bounds: { quantMin: rounder(SUM)(quantMin), quantMax: rounder(SUM)(quantMax) },
    roundings: { SCALE: scale.dtype as FloatDType, LOWEST, PRODUCT, SUM },
    defines: { QUANTIZES: true, ...(isFinite && finiteQuantizing(PRODUCT)) },
    middle: middleCode({ quantMin, quantMax }),
  }
}

/** The code whose value is a floating zero point: 8 of 0..15. */
function middleCode({ quantMin, quantMax }: QuantBounds): number {
  return Math.fround((quantMax + quantMin + 1) / 2)
}

/** Kernels of the ops with floating zero points, and of those without. */
export const tinygemmKernels: KernelSet = [
  chooseKernel(chooseQparamsAffineTinygemm, int4Writer, (_mapping, dtype) =>
    ruleDefines('TINYGEMM', dtype),
  ),
  chooseKernel(chooseQparamsAffineDontPreserveZero, affineWriter, (mapping, dtype) =>
    ruleDefines(mapping, dtype, false),
  ),
  kernel(quantizeAffineNoZeroPoint, [
    {
      name: NAME,
      when: CONTIGUOUS_BLOCKS,
      fits: (_gpu, ...[input, blockSize, scale]) => isConvertible(input, blockSize, scale),
      run: (gpu, input, blockSize, scale, outputDtype, options) => {
        checkCounts(input, blockSize, scale)
        const { storage, bounds } = checkQuantize(input, outputDtype, options)
        const steps = quantizing(input, scale, undefined, storage, bounds)
        return convertBlocks(gpu, input, scale, undefined, steps)
      },
    },
  ]),
  kernel(quantizeAffineTinygemm, [
    {
      name: NAME,
      when: CONTIGUOUS_BLOCKS,
      fits: (_gpu, ...[input, blockSize, scale, zeroPoint]) =>
        isConvertible(input, blockSize, scale, zeroPoint),
      run: (gpu, input, blockSize, scale, zeroPoint, outputDtype, options) => {
        checkZeroPoint(zeroPoint)
        checkCounts(input, blockSize, scale, zeroPoint)
        const { storage, bounds } = checkQuantize(input, outputDtype, options)
        const steps = quantizingTinygemm(
          input,
          scale,
          zeroPoint,
          storage,
          bounds,
          options?.finite ?? false,
        )
        return convertBlocks(gpu, input, scale, zeroPoint, steps)
      },
    },
  ]),
  kernel(dequantizeAffineTinygemm, [
    {
      name: NAME,
      when: CONTIGUOUS_BLOCKS,
      fits: (_gpu, ...[input, blockSize, scale, zeroPoint]) =>
        isConvertible(input, blockSize, scale, zeroPoint),
      run: (gpu, input, blockSize, scale, zeroPoint, inputDtype, options) => {
        checkCounts(input, blockSize, scale, zeroPoint)
        const to = checkDequantize(input, inputDtype, options)
        const bounds = quantBounds(inputDtype, options)
        return convertBlocks(gpu, input, scale, zeroPoint, {
          program: tinygemmConverter,
          to,
          bounds,
          roundings: { OUT: to },
          middle: middleCode(bounds),
        })
      },
    },
  ]),
]
