/**
 * @file float8 quantization: one scale for each block, and codes that are themselves numbers.
 *
 * Scales come first in the input's dtype and are then held as float32. Codes come from a true division,
 * not from a multiplication by the reciprocal as in affine quantization.
 */

import {
  defineOp,
  DTypeError,
  finfo,
  fromArray,
  fromFloat32,
  hostFloat32,
  isFloat8DType,
  newArray,
  roundHalfToEven,
  rounder,
  ShapeError,
  toFloat8E4m3Bits,
  toFloat8E5m2Bits,
  zeros,
  type Float8DType,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { clamp, floatDTypeOf, requireFloat } from './arithmetic.ts'
import { blockRange } from './block-range.ts'
import { blockGrid, blockLayout } from './blocks.ts'
import { safeLimit, SMALLEST_PEAK } from './qparams-rules.ts'
import { forEachRow, mapRows } from './rows.ts'

/** Options of {@link chooseScaleFloat8}. */
export interface Float8ScaleOptions {
  /** `float8_e8m0fnu` rounds scales to powers of two; they are float32 numbers all the same. */
  readonly scaleDtype?: 'float32' | 'float8_e8m0fnu' | undefined
  /** Lower bound of a block's largest magnitude, against scales of zero; rounds to the input's dtype. */
  readonly hpValueLb?: number | undefined
  /** Upper bound of a block's largest magnitude. */
  readonly hpValueUb?: number | undefined
  /**
   * Whether all codes are to stand for finite numbers: blocks at the end of their dtype end a little before it,
   * blocks of numbers below 2^-100 are blocks of zeros, and other scales are not 0. False unless given.
   */
  readonly finite?: boolean | undefined
}

/** Options of ops that take scales of float8. */
export interface Float8Options {
  /** Whether blocks with a scale of 0 are blocks of zeros; torchao gives NaN for them. False unless given. */
  readonly finite?: boolean | undefined
}

type ChooseArgs = [
  input: Tensor,
  blockSize: readonly number[],
  float8Dtype?: Float8DType,
  options?: Float8ScaleOptions,
]

/**
 * The scale of each block, `amax / max(float8Dtype)`; torchao's `_choose_scale_float8`.
 *
 * Returns float32 of `input`'s rank with the number of blocks along each dimension. A block of zeros has
 * the scale 0, and so NaN codes: give `hpValueLb` to avoid that.
 *
 * @throws {@link DTypeError} for an input that is not floating or a target that is not float8
 * @throws {@link ShapeError} when blocks do not fit the input
 */
export const chooseScaleFloat8: Op<ChooseArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'chooseScaleFloat8',
  takes: 'tsz?o?',
  reference: (...[input, blockSize, float8Dtype = 'float8_e4m3fn', options = {}]: ChooseArgs) => {
    checkFloat8(float8Dtype)
    const round = rounder(floatDTypeOf(input))
    const layout = blockLayout(input.shape, blockSize)
    const { min, max } = blockRange(input, layout)
    const lowest = round(options.hpValueLb ?? -Infinity)
    const highest = round(options.hpValueUb ?? Infinity)
    const { limit, smallest } = finiteScales(input.dtype as FloatDType, float8Dtype)
    const scale = max.map((largest, block) => {
      const amax = clamp(Math.max(largest, -(min[block] as number)), lowest, highest)
      if (!options.finite || !Number.isFinite(amax)) return round(amax / finfo(float8Dtype).max)
      if (amax < SMALLEST_PEAK) return 0
      return Math.max(round(Math.min(amax, limit) / finfo(float8Dtype).max), smallest)
    })
    if (options.scaleDtype === 'float8_e8m0fnu') roundToPowersOfTwo(scale)
    return fromFloat32(scale, layout.grid, 'float32')
  },
  meta: (...[input, blockSize, float8Dtype = 'float8_e4m3fn']: ChooseArgs) => {
    checkFloat8(float8Dtype)
    floatDTypeOf(input)
    return zeros(blockGrid(input.shape, blockSize), 'float32', input.device)
  },
})

/** Where magnitudes end so that all codes are finite, and the smallest scale of a block that has any. */
export function finiteScales(
  dtype: FloatDType,
  float8Dtype: Float8DType,
): { readonly limit: number; readonly smallest: number } {
  const { smallestNormal, eps } = finfo(dtype)
  const { max } = finfo(float8Dtype)
  return {
    limit: safeLimit(dtype, { quantMin: -max, quantMax: max }),
    smallest: smallestNormal * eps,
  }
}

function roundToPowersOfTwo(scale: Float32Array): void {
  for (let i = 0; i < scale.length; i++) {
    scale[i] = 2 ** roundHalfToEven(Math.fround(Math.log2(scale[i] as number)))
  }
}

type QuantizeArgs = [
  input: Tensor,
  scale: Tensor,
  float8Dtype?: Float8DType,
  options?: Float8Options,
]

/**
 * Codes of `input / scale`, clamped to the largest finite numbers; torchao's `_quantize_affine_float8`.
 *
 * Blocks follow from the shapes: `scale` has one element, or `input`'s rank with sizes that divide its.
 * NaN is coded with the sign that it has on PyTorch's CPU: that of the input's NaN, 0x7f where only the
 * scale is NaN, and 0xff where the division makes it (0 / 0, infinity / infinity).
 *
 * @throws {@link DTypeError} for an input that is not floating or a target that is not float8
 * @throws {@link ShapeError} when the shapes do not fit
 */
export const quantizeAffineFloat8: Op<QuantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantizeAffineFloat8',
  takes: 'ttz?o?',
  reference: (...[input, scale, float8Dtype = 'float8_e4m3fn', options = {}]: QuantizeArgs) => {
    checkFloat8(float8Dtype)
    floatDTypeOf(input)
    const layout = blockLayout(input.shape, blockSizeOfScale(scale, input.shape))
    const loop: QuantizeLoop = {
      runLength: layout.runLength,
      // What is divided by infinity is zero.
      scales: options.finite ? hostFloat32(scale).map((s) => s || Infinity) : hostFloat32(scale),
      largest: finfo(float8Dtype).max,
      encode: float8Dtype === 'float8_e4m3fn' ? toFloat8E4m3Bits : toFloat8E5m2Bits,
      codes: newArray(float8Dtype, input.numel),
    }
    forEachRow(input, layout, (row, block, start) => quantizeRow(row, block, start, loop))
    return fromArray(loop.codes, input.shape, float8Dtype)
  },
  meta: (...[input, scale, float8Dtype = 'float8_e4m3fn']: QuantizeArgs) => {
    checkFloat8(float8Dtype)
    floatDTypeOf(input)
    blockSizeOfScale(scale, input.shape)
    return zeros(input.shape, float8Dtype, input.device)
  },
})

interface QuantizeLoop {
  readonly runLength: number
  readonly scales: Float32Array
  readonly largest: number
  readonly encode: (x: number) => number
  readonly codes: Uint8Array
}

function quantizeRow(
  row: Float32Array,
  firstBlock: number,
  start: number,
  { runLength, scales, largest, encode, codes }: QuantizeLoop,
): void {
  for (let i = 0, block = firstBlock; i < row.length; block++) {
    const scale = scales[block] as number
    for (const end = i + runLength; i < end; i++) {
      const x = row[i] as number
      const quotient = Math.fround(x / scale)
      codes[start + i] =
        quotient === quotient ? encode(clamp(quotient, -largest, largest)) : nanCode(row, i, scale)
    }
  }
}

/** The sign bit is the one that the processor gives to the quotient. */
function nanCode(row: Float32Array, i: number, scale: number): number {
  if (!Number.isNaN(row[i])) return Number.isNaN(scale) ? 0x7f : 0xff
  const [bits = 0] = new Int32Array(row.buffer, row.byteOffset + i * row.BYTES_PER_ELEMENT, 1)
  return bits < 0 ? 0xff : 0x7f
}

type DequantizeArgs = [
  input: Tensor,
  scale: Tensor,
  outputDtype?: FloatDType,
  options?: Float8Options,
]

/**
 * `input * scale` in float32, rounded to `outputDtype`, which is float32 unless given; torchao's
 * `_dequantize_affine_float8`. Shapes are those of {@link quantizeAffineFloat8}.
 *
 * @throws {@link DTypeError} for an input that is not float8 or an output that is not floating
 * @throws {@link ShapeError} when the shapes do not fit
 */
export const dequantizeAffineFloat8: Op<DequantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'dequantizeAffineFloat8',
  takes: 'ttz?o?',
  reference: (...[input, scale, outputDtype = 'float32', options = {}]: DequantizeArgs) => {
    checkDequantize(input, outputDtype)
    const layout = blockLayout(input.shape, blockSizeOfScale(scale, input.shape))
    const scales = hostFloat32(scale)
    const isFinite = options.finite ?? false
    return mapRows(input, layout, outputDtype, (row, block) =>
      multiplyRow(row, block, layout.runLength, scales, isFinite),
    )
  },
  meta: (...[input, scale, outputDtype = 'float32']: DequantizeArgs) => {
    checkDequantize(input, outputDtype)
    blockSizeOfScale(scale, input.shape)
    return zeros(input.shape, outputDtype, input.device)
  },
})

function checkDequantize(input: Tensor, outputDtype: FloatDType): void {
  checkFloat8(input.dtype, 'the input')
  requireFloat(outputDtype, 'the output')
}

function multiplyRow(
  row: Float32Array,
  firstBlock: number,
  runLength: number,
  scales: Float32Array,
  isFinite: boolean,
): void {
  for (let i = 0, block = firstBlock; i < row.length; block++) {
    const scale = scales[block] as number
    const end = i + runLength
    if (isFinite && scale === 0) row.fill(0, i, end)
    for (; i < end; i++) row[i] = (row[i] as number) * scale
  }
}

type FakeArgs = [
  input: Tensor,
  blockSize: readonly number[],
  float8Dtype?: Float8DType,
  options?: Float8ScaleOptions,
]

/**
 * What float8 leaves of `input`, in float32: {@link chooseScaleFloat8}, {@link quantizeAffineFloat8} and
 * {@link dequantizeAffineFloat8} in one.
 *
 * @throws as these do
 */
export const fakeQuantizeAffineFloat8: Op<FakeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'fakeQuantizeAffineFloat8',
  takes: 'tsz?o?',
  reference: (...[input, blockSize, float8Dtype, options]: FakeArgs) => {
    const scale = chooseScaleFloat8(input, blockSize, float8Dtype, options)
    if (input.numel === 0) return zeros(input.shape, 'float32', input.device)
    const codes = quantizeAffineFloat8(input, scale, float8Dtype, options)
    return dequantizeAffineFloat8(codes, scale, 'float32', options)
  },
  meta: (...[input]: FakeArgs) => zeros(input.shape, 'float32', input.device),
})

/**
 * `scale` with each element repeated over its block, so that it multiplies a tensor of `shape`; itself
 * where it broadcasts to `shape`. torchao's `_maybe_expand_scale_to_tensor_shape`.
 *
 * @throws {@link ShapeError} when ranks differ or a size of `scale` does not divide that of `shape`
 */
export const maybeExpandScaleToTensorShape: Op<[scale: Tensor, shape: readonly number[]], Tensor> =
  /* @__PURE__ */ defineOp({
    name: 'maybeExpandScaleToTensorShape',
    takes: 'ts',
    reference: (scale: Tensor, shape: readonly number[]): Tensor => {
      const blockSize = blockSizeOfScale(scale, shape)
      if (broadcasts(scale, shape)) return scale
      const { firstBlocks, rowLength, runLength } = blockLayout(shape, blockSize)
      const scales = hostFloat32(scale)
      const expanded = new Float32Array(firstBlocks.length * rowLength)
      firstBlocks.forEach((firstBlock, row) => {
        for (let at = 0, block = firstBlock; at < rowLength; at += runLength, block++) {
          const start = row * rowLength + at
          expanded.fill(scales[block] as number, start, start + runLength)
        }
      })
      return fromFloat32(expanded, shape, scale.dtype)
    },
    meta: (scale: Tensor, shape: readonly number[]): Tensor => {
      blockSizeOfScale(scale, shape)
      return broadcasts(scale, shape) ? scale : zeros(shape, scale.dtype, scale.device)
    },
  })

function broadcasts(scale: Tensor, shape: readonly number[]): boolean {
  return scale.numel === 1 || scale.shape.every((size, d) => size === 1 || size === shape[d])
}

/** The block that one element of `scale` covers in a tensor of `shape`. */
export function blockSizeOfScale(scale: Tensor, shape: readonly number[]): readonly number[] {
  if (scale.numel === 1) return shape
  const fits =
    scale.ndim === shape.length &&
    scale.shape.every((size, d) => size !== 0 && (shape[d] as number) % size === 0)
  if (fits) return shape.map((size, d) => size / (scale.shape[d] as number))
  throw fail(
    ShapeError,
    `a scale of one element, or of sizes that divide [${shape.join(', ')}]`,
    `one of shape [${scale.shape.join(', ')}]`,
  )
}

function checkFloat8(dtype: string, what = 'the target dtype'): asserts dtype is Float8DType {
  if (isFloat8DType(dtype as Float8DType)) return
  throw fail(DTypeError, `${what} to be float8_e4m3fn or float8_e5m2`, dtype)
}
