/** @file Affine quantization of a tensor with given scales, and the way back. */

import {
  defineOp,
  DTypeError,
  fromArray,
  isFloatDType,
  newArray,
  ValueError,
  zeros,
  type DType,
  type FloatDType,
  type Op,
  type StoredDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import {
  dequantizeLoop,
  dequantizeRow,
  fitsBytes,
  quantizeLoop,
  quantizeRow,
  quantizeRowToBytes,
} from './affine-rows.ts'
import { fail } from './errors.ts'
import { floatDTypeOf } from './arithmetic.ts'
import { blockLayout } from './blocks.ts'
import { codeStorage, quantBounds, type QuantBounds, type QuantBoundsOptions } from './bounds.ts'
import { forEachRow, mapRows } from './rows.ts'

type QuantizeArgs = [
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor,
  outputDtype: DType,
  options?: QuantBoundsOptions,
]

/**
 * Codes of `input`: `clamp(round(x * (1 / scale)) + zeroPoint, quantMin, quantMax)`; torchao's
 * `quantize_affine`.
 *
 * `scale` and `zeroPoint` have one element for each block of `blockSize`, in any shape. Codes of `uint1`
 * to `uint7` are stored as uint8.
 *
 * @throws {@link DTypeError} for an input that is not floating, or an `outputDtype` that no tensor has:
 * for `int4` use int8 with bounds
 * @throws {@link ShapeError} when blocks do not fit the input, or scales the blocks
 * @throws {@link ValueError} without a zero point, or for bounds that `outputDtype` does not have
 */
export const quantizeAffine: Op<QuantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantizeAffine',
  takes: 'tstt?zo?',
  reference: (...[input, blockSize, scale, zeroPoint, outputDtype, options]: QuantizeArgs) => {
    checkZeroPoint(zeroPoint)
    return quantize(input, blockSize, scale, zeroPoint, outputDtype, options)
  },
  meta: (...[input, , , zeroPoint, outputDtype, options]: QuantizeArgs) => {
    checkZeroPoint(zeroPoint)
    return emptyCodes(input, outputDtype, options)
  },
})

type QuantizeNoZeroPointArgs = [
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  outputDtype: DType,
  options?: QuantBoundsOptions,
]

/**
 * {@link quantizeAffine} without a zero point; torchao's `_quantize_affine_no_zero_point`.
 *
 * @throws as {@link quantizeAffine}
 */
export const quantizeAffineNoZeroPoint: Op<QuantizeNoZeroPointArgs, Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'quantizeAffineNoZeroPoint',
    takes: 'tstzo?',
    reference: (...[input, blockSize, scale, outputDtype, options]: QuantizeNoZeroPointArgs) =>
      quantize(input, blockSize, scale, undefined, outputDtype, options),
    meta: (...[input, , , outputDtype, options]: QuantizeNoZeroPointArgs) =>
      emptyCodes(input, outputDtype, options),
  })

function quantize(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  outputDtype: DType,
  options?: QuantBoundsOptions,
): Tensor {
  const { dtype, storage, bounds } = checkQuantize(input, outputDtype, options)
  const layout = blockLayout(input.shape, blockSize)
  const loop = quantizeLoop(dtype, layout, scale, zeroPoint, bounds)
  if (!fitsBytes(loop, storage)) {
    return mapRows(input, layout, storage, (row, block) => quantizeRow(row, block, loop))
  }
  const codes = newArray(storage, input.numel)
  const bytes = new Int8Array(codes.buffer)
  forEachRow(input, layout, (row, block, start) =>
    quantizeRowToBytes(row, block, loop, bytes, start),
  )
  return fromArray(codes, input.shape, storage)
}

/** What quantizing `input` to `outputDtype` means, or why it cannot be. */
export function checkQuantize(
  input: Tensor,
  outputDtype: DType,
  options?: QuantBoundsOptions,
): { dtype: FloatDType; storage: StoredDType; bounds: QuantBounds } {
  const bounds = quantBounds(outputDtype, options)
  return { dtype: floatDTypeOf(input), storage: codeStorage(outputDtype), bounds }
}

/** The codes of `input` without numbers. */
export function emptyCodes(
  input: Tensor,
  outputDtype: DType,
  options?: QuantBoundsOptions,
): Tensor {
  return zeros(input.shape, checkQuantize(input, outputDtype, options).storage, input.device)
}

/** @throws {@link ValueError} without a zero point */
export function checkZeroPoint(zeroPoint: Tensor | undefined): asserts zeroPoint is Tensor {
  if (zeroPoint !== undefined) return
  throw fail(
    ValueError,
    'a zero point',
    'undefined',
    'Use quantizeAffineNoZeroPoint to do without.',
  )
}

/** Options of {@link dequantizeAffine}. */
export interface DequantizeOptions extends QuantBoundsOptions {
  /** float32 unless given. */
  readonly outputDtype?: FloatDType | undefined
}

type DequantizeArgs = [
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  inputDtype: DType,
  options?: DequantizeOptions,
]

/**
 * Values of codes: `(q - zeroPoint) * scale`; torchao's `dequantize_affine`.
 *
 * `scale` and `zeroPoint` have one element for each block of `blockSize`, in any shape; no zero point is
 * zero. Codes out of bounds are not clamped.
 *
 * @param inputDtype - what the codes are: their stored dtype, or `uint1` to `uint7`
 * @throws {@link DTypeError} for codes of another dtype, or an output that is not floating
 * @throws {@link ShapeError} when blocks do not fit the input, or scales the blocks
 * @throws {@link ValueError} for bounds that `inputDtype` does not have
 */
export const dequantizeAffine: Op<DequantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'dequantizeAffine',
  takes: 'tstt?zo?',
  reference: (...args: DequantizeArgs): Tensor => {
    const [input, blockSize, scale, zeroPoint, inputDtype, options] = args
    const dtype = checkDequantize(input, inputDtype, options)
    const layout = blockLayout(input.shape, blockSize)
    const loop = dequantizeLoop(dtype, layout, scale, zeroPoint)
    return mapRows(input, layout, dtype, (row, block) => dequantizeRow(row, block, loop))
  },
  meta: (...[input, , , , inputDtype, options]: DequantizeArgs): Tensor =>
    zeros(input.shape, checkDequantize(input, inputDtype, options), input.device),
})

/**
 * {@link dequantizeAffine} without a zero point; torchao's `_dequantize_affine_no_zero_point`.
 *
 * @throws as {@link dequantizeAffine}
 */
export function dequantizeAffineNoZeroPoint(
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  inputDtype: DType,
  options?: DequantizeOptions,
): Tensor {
  takes('tstzo?', input, blockSize, scale, inputDtype, options)
  return dequantizeAffine(input, blockSize, scale, undefined, inputDtype, options)
}

/** Checks what {@link dequantizeAffine} is given; the dtype of its result. */
export function checkDequantize(
  input: Tensor,
  inputDtype: DType,
  options: DequantizeOptions = {},
): FloatDType {
  if (input.dtype !== codeStorage(inputDtype)) {
    throw fail(DTypeError, `codes of ${inputDtype}`, input.dtype)
  }
  quantBounds(inputDtype, options)
  const { outputDtype = 'float32' } = options
  if (isFloatDType(outputDtype)) return outputDtype
  throw fail(
    DTypeError,
    'an output dtype of float32, float16 or bfloat16',
    outputDtype satisfies never as StoredDType,
  )
}
