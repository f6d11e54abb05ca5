/** @file Numbers to codes, and codes to numbers. */

import {
  itemSize,
  numelOf,
  promote,
  rounder,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  kernel,
  wgsl,
  type GPU,
  type Kernel,
  type Param,
  type TensorRange,
} from '@ao/kernels-webgpu'
import {
  checkDequantize,
  checkQuantize,
  checkZeroPoint,
  dequantizeAffine,
  quantizeAffine,
  quantizeAffineNoZeroPoint,
} from '../affine.ts'
import { blockGrid, checkBlockCount } from '../blocks.ts'
import { quantBounds, type QuantBounds } from '../bounds.ts'
import { dequantizeAffineTinygemm, quantizeAffineTinygemm } from '../tinygemm.ts'
import source from './affine.wgsl'
import { roundingOf } from './rounding.ts'
import { areRuns, bindableElements, elementDefines, isElement, portions, RUNS } from './runs.ts'
import { arithmeticWgsl } from './snippets.ts'

const program = /* @__PURE__ */ wgsl('affine', arithmeticWgsl + source)

/** What becomes of each element, and in which dtypes. */
export interface Conversion {
  readonly mode: 'quantize' | 'dequantize' | 'quantizeTinygemm' | 'dequantizeTinygemm'
  readonly to: StoredDType
  readonly bounds: QuantBounds
  /** Dtypes that steps round to. */
  readonly roundings: Readonly<Record<string, FloatDType>>
  readonly middle?: number
  readonly offset?: number
}

/** Converts all elements of `input`; blocks are neighbours, as many as there are scales. */
export function convertBlocks(
  gpu: GPU,
  input: Tensor,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  { mode, to, bounds, roundings, middle = 0, offset = 0 }: Conversion,
): DenseTensor {
  const out = gpu.empty(input.shape, to)
  gpu.scope(() => {
    const [x, scales] = [gpu.dense(input), gpu.dense(scale)]
    const zeros = zeroPoint && gpu.dense(zeroPoint)
    const convert = program({
      MODE: mode,
      ...elementDefines('IN', x),
      ...elementDefines('SCALE', scales),
      ...(zeros ? elementDefines('ZERO', zeros) : { ZERO: 'none' }),
      ...elementDefines('OUT', out),
      ...Object.fromEntries(
        Object.entries(roundings).map(([step, dtype]) => [`ROUND_${step}`, roundingOf(dtype)]),
      ),
    })
    const numbers = [bounds.quantMin, bounds.quantMax, middle, offset]
    const floats: Param[] = numbers.map((value) => ({ f32: value }))
    for (const [first, count] of portions(x.numel, bindableElements(gpu, 4))) {
      const part = (tensor: DenseTensor): TensorRange => {
        const bytes = itemSize(tensor.dtype)
        return { tensor, offset: first * bytes, size: count * bytes }
      }
      gpu.dispatch(convert, {
        bind: [part(x), scales, zeros ?? scales, part(out)],
        params: [count, first, x.numel / scales.numel, 0, ...floats],
        workgroups: grid(Math.ceil(count / 256)),
      })
    }
  })
  return out
}

const NAME = 'four elements a thread'

/** How codes of `input` are computed, step by step: `clamp(round(x * (1 / scale)) + zeroPoint)`. */
function quantizing(
  input: Tensor,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  to: StoredDType,
  { quantMin, quantMax }: QuantBounds,
): Conversion {
  const PRODUCT = promote(input.dtype, scale.dtype) as FloatDType
  const SUM = zeroPoint ? (promote(PRODUCT, zeroPoint.dtype) as FloatDType) : PRODUCT
  return {
    mode: 'quantize',
    to,
    bounds: { quantMin: rounder(SUM)(quantMin), quantMax: rounder(SUM)(quantMax) },
    roundings: { SCALE: scale.dtype as FloatDType, PRODUCT, SUM },
  }
}

/** `clamp(round((x - lowest) / scale))`, where `lowest` is `zeroPoint - scale * middle`. */
function quantizingTinygemm(
  input: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  to: StoredDType,
  { quantMin, quantMax }: QuantBounds,
): Conversion {
  const LOWEST = promote(zeroPoint.dtype, scale.dtype) as FloatDType
  const PRODUCT = promote(input.dtype, LOWEST) as FloatDType
  const SUM = promote(PRODUCT, scale.dtype) as FloatDType
  return {
    mode: 'quantizeTinygemm',
    to,
    bounds: { quantMin: rounder(SUM)(quantMin), quantMax: rounder(SUM)(quantMax) },
    roundings: { SCALE: scale.dtype as FloatDType, LOWEST, PRODUCT, SUM },
    middle: middleCode({ quantMin, quantMax }),
  }
}

/** The code whose value is a floating zero point: 8 of 0..15. */
function middleCode({ quantMin, quantMax }: QuantBounds): number {
  return Math.fround((quantMax + quantMin + 1) / 2)
}

function fits(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor | undefined,
): boolean {
  const dtypes = [input.dtype, scale.dtype, zeroPoint?.dtype ?? 'int8']
  return dtypes.every(isElement) && areRuns(input, blockSize)
}

function checkCounts(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint?: Tensor,
): void {
  const count = numelOf(blockGrid(input.shape, blockSize))
  checkBlockCount(scale, count, 'the scale')
  if (zeroPoint) checkBlockCount(zeroPoint, count, 'the zero point')
}

/** Kernels of the ops that quantize and dequantize with given scales. */
export const affineKernels: readonly Kernel[] = [
  kernel(quantizeAffine, [
    {
      name: NAME,
      when: RUNS,
      fits: (_gpu, input, blockSize, scale, zeroPoint) => fits(input, blockSize, scale, zeroPoint),
      run: (gpu, input, blockSize, scale, zeroPoint, outputDtype, options) => {
        checkZeroPoint(zeroPoint)
        checkCounts(input, blockSize, scale, zeroPoint)
        const { storage, bounds } = checkQuantize(input, outputDtype, options)
        const steps = quantizing(input, scale, zeroPoint, storage, bounds)
        return convertBlocks(gpu, input, scale, zeroPoint, steps)
      },
    },
  ]),
  kernel(quantizeAffineNoZeroPoint, [
    {
      name: NAME,
      when: RUNS,
      fits: (_gpu, input, blockSize, scale) => fits(input, blockSize, scale, undefined),
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
      when: RUNS,
      fits: (_gpu, input, blockSize, scale, zeroPoint) => fits(input, blockSize, scale, zeroPoint),
      run: (gpu, input, blockSize, scale, zeroPoint, outputDtype, options) => {
        checkZeroPoint(zeroPoint)
        checkCounts(input, blockSize, scale, zeroPoint)
        const { storage, bounds } = checkQuantize(input, outputDtype, options)
        const steps = quantizingTinygemm(input, scale, zeroPoint, storage, bounds)
        return convertBlocks(gpu, input, scale, zeroPoint, steps)
      },
    },
  ]),
  kernel(dequantizeAffine, [
    {
      name: NAME,
      when: RUNS,
      fits: (_gpu, input, blockSize, scale, zeroPoint) => fits(input, blockSize, scale, zeroPoint),
      run: (gpu, input, blockSize, scale, zeroPoint, inputDtype, options) => {
        checkCounts(input, blockSize, scale, zeroPoint)
        const to = checkDequantize(input, inputDtype, options)
        const PRODUCT = promote(to, scale.dtype) as FloatDType
        return convertBlocks(gpu, input, scale, zeroPoint, {
          mode: 'dequantize',
          to,
          bounds: quantBounds(inputDtype, options),
          roundings: { OUT: to, PRODUCT },
        })
      },
    },
  ]),
  kernel(dequantizeAffineTinygemm, [
    {
      name: NAME,
      when: RUNS,
      fits: (_gpu, input, blockSize, scale, zeroPoint) => fits(input, blockSize, scale, zeroPoint),
      run: (gpu, input, blockSize, scale, zeroPoint, inputDtype, options) => {
        checkCounts(input, blockSize, scale, zeroPoint)
        const to = checkDequantize(input, inputDtype, options)
        const bounds = quantBounds(inputDtype, options)
        return convertBlocks(gpu, input, scale, zeroPoint, {
          mode: 'dequantizeTinygemm',
          to,
          bounds,
          roundings: { OUT: to },
          middle: middleCode(bounds),
        })
      },
    },
  ]),
]
