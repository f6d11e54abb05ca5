/**
 * @file Quantization with a floating zero point, as tinygemm's int4 kernels have it.
 *
 * The zero point is the value of the middle code: w is close to (q - 8) * scale + zeroPoint for 0..15.
 */

import {
  defineOp,
  hostFloat32,
  rounder,
  roundHalfToEven,
  zeros,
  type DType,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import {
  checkDequantize,
  checkQuantize,
  checkZeroPoint,
  emptyCodes,
  type DequantizeOptions,
} from './affine.ts'
import { clamp, promoteFloat, requireFloat } from './arithmetic.ts'
import { blockLayout, checkBlockCount, type BlockLayout } from './blocks.ts'
import { quantBounds, type QuantBounds, type QuantBoundsOptions } from './bounds.ts'
import { dropSmall, SMALLEST_STEP } from './qparams-rules.ts'
import { mapRows, type RowVisitor } from './rows.ts'

type QuantizeArgs = [
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor,
  outputDtype: DType,
  options?: TinygemmOptions,
]

/** Options of {@link quantizeAffineTinygemm}. */
export interface TinygemmOptions extends QuantBoundsOptions {
  /** Whether `scale` was chosen so: see `finite` of `ChooseQparamsOptions`; false unless given. */
  readonly finite?: boolean | undefined
}

/**
 * Codes of `input`: `clamp(round((x - lowest) / scale), quantMin, quantMax)`, where `lowest` is
 * `zeroPoint - scale * middle`; torchao's `_quantize_affine_tinygemm`.
 *
 * @remarks A division, where {@link quantizeAffine} multiplies by the reciprocal.
 * @throws as {@link quantizeAffine}
 */
export const quantizeAffineTinygemm: Op<QuantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantizeAffineTinygemm',
  takes: 'tstt?zo?',
  reference: (...args: QuantizeArgs): Tensor => {
    const [input, blockSize, scale, zeroPoint, outputDtype, options] = args
    checkZeroPoint(zeroPoint)
    const { storage, bounds, dtype } = checkQuantize(input, outputDtype, options)
    const layout = blockLayout(input.shape, blockSize)
    const quantize = tinygemmQuantizer(dtype, layout, scale, zeroPoint, bounds, options?.finite)
    return mapRows(input, layout, storage, quantize)
  },
  meta: (...[input, , , zeroPoint, outputDtype, options]: QuantizeArgs): Tensor => {
    checkZeroPoint(zeroPoint)
    return emptyCodes(input, outputDtype, options)
  },
})

type DequantizeArgs = [
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  inputDtype: DType,
  options?: DequantizeOptions,
]

/**
 * Values of codes: `(q - middle) * scale + zeroPoint`, each step rounded to the output's dtype;
 * torchao's `_dequantize_affine_tinygemm`.
 *
 * @throws as {@link dequantizeAffine}
 */
export const dequantizeAffineTinygemm: Op<DequantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'dequantizeAffineTinygemm',
  takes: 'tstt?zo?',
  reference: (...args: DequantizeArgs): Tensor => {
    const [input, blockSize, scale, zeroPoint, inputDtype, options] = args
    const dtype = checkDequantize(input, inputDtype, options)
    const bounds = quantBounds(inputDtype, options)
    const layout = blockLayout(input.shape, blockSize)
    const dequantize = tinygemmDequantizer(dtype, layout, scale, zeroPoint, bounds)
    return mapRows(input, layout, dtype, dequantize)
  },
  meta: (...[input, , , , inputDtype, options]: DequantizeArgs): Tensor =>
    zeros(input.shape, checkDequantize(input, inputDtype, options), input.device),
})

/** The value of a code in the middle is the zero point: 8 for 0..15. */
function middleCode({ quantMin, quantMax }: QuantBounds): number {
  return Math.fround((quantMax + quantMin + 1) / 2)
}

/** Where steps are so large, differences of numbers may be beyond the dtype's largest, and halves are not. */
export const LARGE_STEP: Readonly<Record<FloatDType, number>> = {
  float32: 2 ** 123,
  bfloat16: 2 ** 123,
  float16: 2 ** 11,
}

/** What numbers are multiplied by before they are subtracted. */
export function differenceShare(step: number, dtype: FloatDType): number {
  return step > LARGE_STEP[dtype] ? 0.5 : 1
}

/** Replaces the numbers of a row by their codes. */
export function tinygemmQuantizer(
  inputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor,
  bounds: QuantBounds,
  isFinite: boolean = false,
): RowVisitor {
  checkBlockCount(scale, layout.count, 'the scale')
  checkBlockCount(zeroPoint, layout.count, 'the zero point')
  const scaleDtype = requireFloat(scale.dtype, 'the scale')
  const lowestDtype = promoteFloat(zeroPoint.dtype, scaleDtype)
  const differenceDtype = promoteFloat(inputDtype, lowestDtype)
  const roundScale = rounder(scaleDtype)
  const roundLowest = rounder(lowestDtype)
  const roundDifference = rounder(differenceDtype)
  const roundCode = rounder(promoteFloat(differenceDtype, scaleDtype))

  const steps = hostFloat32(scale)
  const middle = middleCode(bounds)
  const lowest = hostFloat32(zeroPoint).map((value, block) =>
    roundLowest(value - roundScale((steps[block] as number) * middle)),
  )
  const quantMin = roundCode(bounds.quantMin)
  const quantMax = roundCode(bounds.quantMax)
  const { runLength } = layout
  return (row, firstBlock) => {
    let block = firstBlock
    for (let start = 0; start < row.length; start += runLength, block++) {
      const share = isFinite ? differenceShare(steps[block] as number, differenceDtype) : 1
      const step = (steps[block] as number) * share
      const low = (lowest[block] as number) * share
      if (isFinite && step < SMALLEST_STEP) dropSmall(row, start, start + runLength)
      for (let i = start; i < start + runLength; i++) {
        const code = roundCode(roundDifference((row[i] as number) * share - low) / step)
        row[i] = clamp(roundHalfToEven(code), quantMin, quantMax)
      }
    }
  }
}

/** Replaces the codes of a row by their values. */
export function tinygemmDequantizer(
  outputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  bounds: QuantBounds,
): RowVisitor {
  checkBlockCount(scale, layout.count, 'the scale')
  if (zeroPoint) checkBlockCount(zeroPoint, layout.count, 'the zero point')
  const round = rounder(outputDtype)
  const steps = hostFloat32(scale)
  const middles = zeroPoint ? hostFloat32(zeroPoint) : new Float32Array(layout.count).fill(-0)
  const middle = middleCode(bounds)
  const { runLength } = layout
  return (row, firstBlock) => {
    let block = firstBlock
    for (let start = 0; start < row.length; start += runLength, block++) {
      const step = steps[block] as number
      const middleValue = middles[block] as number
      for (let i = start; i < start + runLength; i++) {
        const stepsFromMiddle = round(Math.fround((row[i] as number) - middle))
        row[i] = round(round(stepsFromMiddle * step) + middleValue)
      }
    }
  }
}
