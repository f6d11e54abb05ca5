/**
 * @file The inner loops of affine quantization: rows of numbers to codes and back, in place.
 *
 * The plain loops round after each operation, to whatever dtype PyTorch has there, and say what is
 * meant. For codes in bytes, which formats use most, and for float32, faster loops give the same bits.
 */

import {
  hostFloat32,
  rounder,
  roundHalfToEven,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { clamp, promoteFloat, requireFloat } from './arithmetic.ts'
import { checkBlockCount, type BlockLayout } from './blocks.ts'
import type { QuantBounds } from './bounds.ts'

/** What quantizing loops need; each list has one number for each block. */
export interface QuantizeLoop extends QuantBounds {
  readonly runLength: number
  readonly reciprocal: Float32Array
  readonly zeroPoint: Float32Array
  /** The dtype of `x * reciprocal`. */
  readonly productDtype: FloatDType
  /** The dtype of codes before they are stored. */
  readonly sumDtype: FloatDType
}

/**
 * Prepares quantizing by `scale` and `zeroPoint`, which have one element for each block in any shape.
 *
 * @throws {@link ShapeError} when they have another number of elements
 */
export function quantizeLoop(
  inputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  bounds: QuantBounds,
): QuantizeLoop {
  checkQparams(layout, scale, zeroPoint)
  const roundScale = rounder(requireFloat(scale.dtype, 'the scale'))
  const productDtype = promoteFloat(inputDtype, scale.dtype)
  const sumDtype = zeroPoint ? promoteFloat(productDtype, zeroPoint.dtype) : productDtype
  const roundSum = rounder(sumDtype)
  return {
    runLength: layout.runLength,
    reciprocal: hostFloat32(scale).map((step) => roundScale(1 / step)),
    // Without one -0 is added, which changes nothing: not even -0.
    zeroPoint: zeroPoint
      ? hostFloat32(zeroPoint).map(roundSum)
      : new Float32Array(layout.count).fill(-0),
    quantMin: roundSum(bounds.quantMin),
    quantMax: roundSum(bounds.quantMax),
    productDtype,
    sumDtype,
  }
}

/**
 * Replaces each x of a row by `clamp(round(x * (1 / scale)) + zeroPoint, quantMin, quantMax)`.
 *
 * @remarks A product with the reciprocal, not a division: codes differ where they are close to ties.
 */
export function quantizeRow(row: Float32Array, firstBlock: number, loop: QuantizeLoop): void {
  const { runLength, quantMin, quantMax } = loop
  const roundProduct = rounder(loop.productDtype)
  const roundSum = rounder(loop.sumDtype)
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

/**
 * Whether {@link quantizeRowToBytes} gives what {@link quantizeRow} does, stored as `storage`: 16-bit
 * types have all codes of a byte, but would round the sum with a fraction.
 */
export function fitsBytes(loop: QuantizeLoop, storage: StoredDType): boolean {
  if (storage !== 'int8' && storage !== 'uint8') return false
  return loop.productDtype === 'float32' || loop.zeroPoint.every(Number.isInteger)
}

// Adding and taking away 1.5 * 2^52 rounds to an integer, ties to even, for either sign. Numbers too
// large for it, or whose sum with the zero point would round, lie beyond the codes and are clamped.
const ROUNDING = 6755399441055744

/**
 * {@link quantizeRow}, with the codes stored in `out` from `at` on; the row may be written into.
 *
 * @param out - bytes of int8 or uint8, which wrap alike
 */
export function quantizeRowToBytes(
  row: Float32Array,
  firstBlock: number,
  loop: QuantizeLoop,
  out: Int8Array,
  at: number,
): void {
  const { runLength, quantMin, quantMax } = loop
  const isShort = loop.productDtype !== 'float32'
  if (isShort) multiplyShort(row, firstBlock, loop)
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const reciprocal = isShort ? 1 : (loop.reciprocal[block] as number)
    const zeroPoint = loop.zeroPoint[block] as number
    const end = start + runLength
    for (let i = start; i < end; i++) {
      const steps = Math.fround((row[i] as number) * reciprocal) + ROUNDING - ROUNDING
      const code = steps + zeroPoint
      out[at + i] = code < quantMin ? quantMin : code > quantMax ? quantMax : code
    }
  }
}

/** Replaces each x of a row by `x * (1 / scale)`, rounded as a 16-bit type. */
function multiplyShort(
  row: Float32Array,
  firstBlock: number,
  { runLength, reciprocal, productDtype }: QuantizeLoop,
): void {
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const factor = reciprocal[block] as number
    const end = start + runLength
    for (let i = start; i < end; i++) row[i] = (row[i] as number) * factor
  }
  roundMantissas(row, productDtype === 'bfloat16' ? 16 : 13)
}

/**
 * Rounds away the last bits of mantissas, ties to even. Exponents beyond those of a 16-bit type stay: such
 * products are beyond the codes or no step at all, either way.
 */
function roundMantissas(row: Float32Array, droppedBits: number): void {
  const belowHalf = (1 << (droppedBits - 1)) - 1
  const kept = -1 << droppedBits
  const bits = new Int32Array(row.buffer, row.byteOffset, row.length)
  for (let i = 0; i < bits.length; i++) {
    const value = bits[i] as number
    bits[i] = (value + belowHalf + ((value >>> droppedBits) & 1)) & kept
  }
}

/** What dequantizing loops need; each list has one number for each block. */
export interface DequantizeLoop {
  readonly runLength: number
  readonly scale: Float32Array
  readonly zeroPoint: Float32Array
  readonly outputDtype: FloatDType
  /** The dtype of the product with the scale. */
  readonly productDtype: FloatDType
}

/** Prepares dequantizing; see {@link quantizeLoop}. */
export function dequantizeLoop(
  outputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
): DequantizeLoop {
  checkQparams(layout, scale, zeroPoint)
  return {
    runLength: layout.runLength,
    scale: hostFloat32(scale),
    zeroPoint: zeroPoint
      ? hostFloat32(zeroPoint).map(rounder(outputDtype))
      : new Float32Array(layout.count),
    outputDtype,
    productDtype: promoteFloat(outputDtype, requireFloat(scale.dtype, 'the scale')),
  }
}

/**
 * Replaces each code of a row by `(code - zeroPoint) * scale`. A product of two dtypes is left in
 * float32: who stores the row rounds it.
 */
export function dequantizeRow(row: Float32Array, firstBlock: number, loop: DequantizeLoop): void {
  const { runLength } = loop
  const round = rounder(loop.outputDtype)
  const roundProduct = rounder(loop.productDtype)
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const scale = loop.scale[block] as number
    const zeroPoint = loop.zeroPoint[block] as number
    for (let i = start; i < start + runLength; i++) {
      row[i] = roundProduct(round(round(row[i] as number) - zeroPoint) * scale)
    }
  }
}

/** {@link dequantizeRow} to float32. */
export function dequantizeRowFloat32(
  row: Float32Array,
  firstBlock: number,
  loop: DequantizeLoop,
): void {
  const { runLength } = loop
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const scale = loop.scale[block] as number
    const zeroPoint = loop.zeroPoint[block] as number
    const end = start + runLength
    for (let i = start; i < end; i++) {
      row[i] = Math.fround((row[i] as number) - zeroPoint) * scale
    }
  }
}

function checkQparams(layout: BlockLayout, scale: Tensor, zeroPoint: Tensor | undefined): void {
  checkBlockCount(scale, layout.count, 'the scale')
  if (zeroPoint) checkBlockCount(zeroPoint, layout.count, 'the zero point')
}
