/**
 * @file The inner loops of affine quantization: rows of numbers to codes and back, in place.
 *
 * The plain loops round after each operation, to whatever dtype PyTorch has there, and say what is
 * meant. For codes in bytes, which formats use most, and for float32, faster loops give the same bits.
 */

import {
  hostFloat32,
  roundArray,
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
  multiplyRuns(row, runLength, firstBlock, loop.reciprocal)
  roundArray(row, loop.productDtype)
  for (let i = 0; i < row.length; i++) row[i] = roundHalfToEven(row[i] as number)
  addRuns(row, runLength, firstBlock, loop.zeroPoint)
  roundArray(row, loop.sumDtype)
  for (let i = 0; i < row.length; i++) row[i] = clamp(row[i] as number, quantMin, quantMax)
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
  const { runLength, quantMin, quantMax, productDtype } = loop
  const isShort = productDtype !== 'float32'
  if (isShort) {
    multiplyRuns(row, runLength, firstBlock, loop.reciprocal)
    roundMantissas(row, productDtype === 'bfloat16' ? 16 : 13)
  }
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

/** Multiplies each run of a row by its block's factor. */
function multiplyRuns(
  row: Float32Array,
  runLength: number,
  firstBlock: number,
  factors: Float32Array,
): void {
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const factor = factors[block] as number
    const end = start + runLength
    for (let i = start; i < end; i++) row[i] = (row[i] as number) * factor
  }
}

/** Adds to each run of a row what its block has. */
function addRuns(
  row: Float32Array,
  runLength: number,
  firstBlock: number,
  terms: Float32Array,
): void {
  let block = firstBlock
  for (let start = 0; start < row.length; start += runLength, block++) {
    const term = terms[block] as number
    const end = start + runLength
    for (let i = start; i < end; i++) row[i] = (row[i] as number) + term
  }
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
  /** What is added to codes; undefined where that is zero for all. */
  readonly minusZeroPoint: Float32Array | undefined
  readonly outputDtype: FloatDType
}

/** Prepares dequantizing; see {@link quantizeLoop}. */
export function dequantizeLoop(
  outputDtype: FloatDType,
  layout: BlockLayout,
  scale: Tensor,
  zeroPoint: Tensor | undefined,
): DequantizeLoop {
  checkQparams(layout, scale, zeroPoint)
  requireFloat(scale.dtype, 'the scale')
  const round = rounder(outputDtype)
  const zeros = zeroPoint && hostFloat32(zeroPoint)
  return {
    runLength: layout.runLength,
    scale: hostFloat32(scale),
    minusZeroPoint: zeros?.some(Boolean) ? zeros.map((zero) => -round(zero)) : undefined,
    outputDtype,
  }
}

/**
 * Replaces each code of a row by `(code - zeroPoint) * scale`. The product is left in float32: who stores
 * the row rounds it.
 */
export function dequantizeRow(row: Float32Array, firstBlock: number, loop: DequantizeLoop): void {
  const { runLength, outputDtype } = loop
  roundArray(row, outputDtype)
  if (loop.minusZeroPoint) {
    addRuns(row, runLength, firstBlock, loop.minusZeroPoint)
    roundArray(row, outputDtype)
  }
  multiplyRuns(row, runLength, firstBlock, loop.scale)
}

function checkQparams(layout: BlockLayout, scale: Tensor, zeroPoint: Tensor | undefined): void {
  checkBlockCount(scale, layout.count, 'the scale')
  if (zeroPoint) checkBlockCount(zeroPoint, layout.count, 'the zero point')
}
