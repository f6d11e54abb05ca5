/**
 * @file The inner loops of affine quantization: rows of numbers to codes and back, in place.
 *
 * The plain loops round after each operation, to whatever dtype PyTorch has there, and say what is
 * meant. Where every step is float32, which is what formats use most, faster loops give the same bits.
 */

import {
  hostFloat32,
  rounder,
  roundHalfToEven,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { clamp, promoteFloat, requireFloat, type Rounder } from './arithmetic.ts'
import { checkBlockCount, type BlockLayout } from './blocks.ts'
import type { QuantBounds } from './bounds.ts'
import type { RowVisitor } from './rows.ts'

/** Codes of a row, and the dtype that they are computed in. */
export interface RowQuantizer {
  readonly quantizeRow: RowVisitor
  readonly dtype: FloatDType
}

/**
 * `clamp(round(x * (1 / scale)) + zeroPoint, quantMin, quantMax)` of each element of a row.
 *
 * @remarks A product with the reciprocal, not a division: they differ where codes are close to ties.
 * @param scale - one element for each block, in any shape; `zeroPoint` too
 */
export function rowQuantizer(
  inputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  bounds: QuantBounds,
): RowQuantizer {
  checkQparams(layout, scale, zeroPoint)
  const roundScale = rounder(requireFloat(scale.dtype, 'the scale'))
  const product = promoteFloat(inputDtype, scale.dtype)
  const dtype = zeroPoint ? promoteFloat(product, zeroPoint.dtype) : product
  const roundSum = rounder(dtype)
  const loop: QuantizeLoop = {
    runLength: layout.runLength,
    reciprocal: hostFloat32(scale).map((step) => roundScale(1 / step)),
    zeroPoint: zeroPointValues(zeroPoint, layout).map(roundSum),
    quantMin: roundSum(bounds.quantMin),
    quantMax: roundSum(bounds.quantMax),
    roundProduct: rounder(product),
    roundSum,
  }
  const run = product === 'float32' && smallCodes(bounds) ? quantizeRowFloat32 : quantizeRowPlain
  return { quantizeRow: (row, firstBlock) => run(row, firstBlock, loop), dtype }
}

/** What a quantizing loop needs; a list has one number for each block. */
export interface QuantizeLoop extends QuantBounds {
  readonly runLength: number
  readonly reciprocal: Float32Array
  readonly zeroPoint: Float32Array
  readonly roundProduct: Rounder
  readonly roundSum: Rounder
}

export function quantizeRowPlain(row: Float32Array, firstBlock: number, loop: QuantizeLoop): void {
  const { runLength, quantMin, quantMax, roundProduct, roundSum } = loop
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const reciprocal = loop.reciprocal[block] as number
    const zeroPoint = loop.zeroPoint[block] as number
    for (let i = start; i < start + runLength; i++) {
      const steps = roundHalfToEven(roundProduct((row[i] as number) * reciprocal))
      row[i] = clamp(roundSum(steps + zeroPoint), quantMin, quantMax)
    }
  }
}

// Adding and taking away 1.5 * 2^52 rounds to an integer, ties to even, for either sign. Numbers that
// are too large for it, or whose sum with the zero point would round, are beyond the codes and clamped.
const ROUNDING = 6755399441055744

function smallCodes({ quantMin, quantMax }: QuantBounds): boolean {
  return quantMin >= -(2 ** 23) && quantMax <= 2 ** 23
}

export function quantizeRowFloat32(
  row: Float32Array,
  firstBlock: number,
  loop: QuantizeLoop,
): void {
  const { runLength, quantMin, quantMax } = loop
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const reciprocal = loop.reciprocal[block] as number
    const zeroPoint = loop.zeroPoint[block] as number
    const end = start + runLength
    for (let i = start; i < end; i++) {
      const steps = Math.fround((row[i] as number) * reciprocal) + ROUNDING - ROUNDING
      const code = steps + zeroPoint
      row[i] = code < quantMin ? quantMin : code > quantMax ? quantMax : code
    }
  }
}

/**
 * `(code - zeroPoint) * scale` of each element of a row, in `outputDtype`.
 *
 * @remarks The product of different dtypes is left in float32: who stores the row rounds it.
 */
export function rowDequantizer(
  outputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
): RowVisitor {
  checkQparams(layout, scale, zeroPoint)
  const round = rounder(outputDtype)
  const loop: DequantizeLoop = {
    runLength: layout.runLength,
    scale: hostFloat32(scale),
    zeroPoint: zeroPointValues(zeroPoint, layout).map(round),
    round,
    roundProduct: rounder(promoteFloat(outputDtype, requireFloat(scale.dtype, 'the scale'))),
  }
  const run = outputDtype === 'float32' ? dequantizeRowFloat32 : dequantizeRowPlain
  return (row, firstBlock) => run(row, firstBlock, loop)
}

/** What a dequantizing loop needs; a list has one number for each block. */
export interface DequantizeLoop {
  readonly runLength: number
  readonly scale: Float32Array
  readonly zeroPoint: Float32Array
  readonly round: Rounder
  readonly roundProduct: Rounder
}

export function dequantizeRowPlain(
  row: Float32Array,
  firstBlock: number,
  loop: DequantizeLoop,
): void {
  const { runLength, round, roundProduct } = loop
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const scale = loop.scale[block] as number
    const zeroPoint = loop.zeroPoint[block] as number
    for (let i = start; i < start + runLength; i++) {
      const steps = round(round(row[i] as number) - zeroPoint)
      row[i] = roundProduct(steps * scale)
    }
  }
}

export function dequantizeRowFloat32(
  row: Float32Array,
  firstBlock: number,
  loop: DequantizeLoop,
): void {
  let block = firstBlock
  for (let start = 0; start < row.length; start += loop.runLength, block++) {
    const scale = loop.scale[block] as number
    const zeroPoint = loop.zeroPoint[block] as number
    const end = start + loop.runLength
    for (let i = start; i < end; i++) {
      row[i] = Math.fround((row[i] as number) - zeroPoint) * scale
    }
  }
}

function checkQparams(layout: BlockLayout, scale: Tensor, zeroPoint: Tensor | undefined): void {
  checkBlockCount(scale, layout.count, 'the scale')
  if (zeroPoint) checkBlockCount(zeroPoint, layout.count, 'the zero point')
}

function zeroPointValues(zeroPoint: Tensor | undefined, layout: BlockLayout): Float32Array {
  return zeroPoint ? hostFloat32(zeroPoint) : new Float32Array(layout.count)
}
