/**
 * @file Two levels of scales, after GGUF's Q4_K: blocks with a scale and a minimum of 6 bits, and super
 * blocks of 256 elements that scale those.
 *
 * torchao emulates the format: nothing is rounded to integers, neither the block parameters nor the
 * codes. So do these ops, and there are no packed bytes.
 */

import {
  defineOp,
  fromFloat32,
  hostFloat32,
  rounder,
  ShapeError,
  ValueError,
  zeros,
  type DType,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { clamp, floatDTypeOf, promoteFloat, requireFloat } from './arithmetic.ts'
import { blockRange } from './block-range.ts'
import { blockLayout, checkBlockCount } from './blocks.ts'
import { mapRows } from './rows.ts'

/** Elements of a super block. */
const SUPER_BLOCK = 256
/** The largest 4-bit code. */
const MAX_CODE = 15
/** The largest 6-bit block scale or minimum. */
const MAX_BLOCK_PARAMETER = 63

/** The parameters of both levels, in the input's dtype. */
export interface GgufQparams {
  readonly superBlockScaleScale: Tensor // (N, K / 256)
  readonly superBlockMinScale: Tensor // (N, K / 256)
  readonly quantizedBlockScale: Tensor // (N, K / block), 0..63
  readonly quantizedBlockMin: Tensor // (N, K / block), 0..63
}

type ChooseArgs = [input: Tensor, blockSize: readonly number[], targetDtype: DType]

/**
 * Parameters of blocks and super blocks of `input` (N, K), K a multiple of 256; torchao's
 * `_choose_qparams_gguf`.
 *
 * @remarks Block minima above zero are clamped to it, and a super block of zeros has NaN parameters, as
 * in torchao.
 * @param blockSize - `[1, size]` with a size that divides 256, such as 32
 * @param targetDtype - `uint4`
 * @throws {@link DTypeError} for an input that is not floating
 * @throws {@link ShapeError} when blocks or super blocks do not fit the input
 * @throws {@link ValueError} for another target
 */
export const chooseQparamsGguf: Op<ChooseArgs, GgufQparams> = /* @__PURE__ */ defineOp({
  name: 'chooseQparamsGguf',
  takes: 'tsz',
  reference: (...[input, blockSize, targetDtype]: ChooseArgs): GgufQparams => {
    const { shape, superShape, perSuper } = ggufLayout(input, blockSize, targetDtype)
    const dtype = floatDTypeOf(input)
    const round = rounder(dtype)
    const { min, max } = blockRange(input, blockLayout(input.shape, blockSize))
    const scale = max.map((high, i) => round(round(high - (min[i] as number)) / MAX_CODE))
    const ofScale = quantizeParameters(scale, perSuper, round)
    const ofMin = quantizeParameters(min, perSuper, round)
    return {
      superBlockScaleScale: fromFloat32(ofScale.scales, superShape, dtype),
      superBlockMinScale: fromFloat32(ofMin.scales, superShape, dtype),
      quantizedBlockScale: fromFloat32(ofScale.values, shape, dtype),
      quantizedBlockMin: fromFloat32(ofMin.values, shape, dtype),
    }
  },
  meta: (...[input, blockSize, targetDtype]: ChooseArgs) => {
    const { shape, superShape } = ggufLayout(input, blockSize, targetDtype)
    const empty = (of: readonly number[]): Tensor => zeros(of, floatDTypeOf(input), input.device)
    return {
      superBlockScaleScale: empty(superShape),
      superBlockMinScale: empty(superShape),
      quantizedBlockScale: empty(shape),
      quantizedBlockMin: empty(shape),
    }
  },
})

/** One scale for `perSuper` values each, and the values over it, in 0..63. */
function quantizeParameters(
  values: Float32Array,
  perSuper: number,
  round: (x: number) => number,
): { scales: Float32Array; values: Float32Array } {
  const scales = new Float32Array(values.length / perSuper)
  const quantized = new Float32Array(values.length)
  for (let s = 0; s < scales.length; s++) {
    const group = values.subarray(s * perSuper, (s + 1) * perSuper)
    const amax = group.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
    const scale = round(amax / MAX_BLOCK_PARAMETER)
    scales[s] = scale
    group.forEach((value, i) => {
      quantized[s * perSuper + i] = clamp(round(value / scale), 0, MAX_BLOCK_PARAMETER)
    })
  }
  return { scales, values: quantized }
}

type QuantizeArgs = [
  input: Tensor,
  blockSize: readonly number[],
  targetDtype: DType,
  qparams: GgufQparams,
]

/**
 * Codes `(x - min) / scale` of `input` (N, K), neither rounded nor clamped, in the input's dtype;
 * torchao's `_quantize_gguf`. Parameters are those of {@link chooseQparamsGguf}.
 *
 * @throws as {@link chooseQparamsGguf}
 */
export const quantizeGguf: Op<QuantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'quantizeGguf',
  takes:
    'tszo<superBlockScaleScale:t superBlockMinScale:t quantizedBlockScale:t quantizedBlockMin:t>',
  reference: (...[input, blockSize, targetDtype, qparams]: QuantizeArgs) =>
    applyBlocks(input, blockSize, targetDtype, qparams, resultDtype(input, qparams), quantizeRun),
  meta: (...[input, blockSize, targetDtype, qparams]: QuantizeArgs) => {
    ggufLayout(input, blockSize, targetDtype)
    return zeros(input.shape, resultDtype(input, qparams), input.device)
  },
})

type DequantizeArgs = [...QuantizeArgs, outputDtype?: FloatDType]

/**
 * `code * scale + min`, in `outputDtype` (that of the codes unless given); torchao's `_dequantize_gguf`.
 *
 * @throws as {@link chooseQparamsGguf}
 */
export const dequantizeGguf: Op<DequantizeArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'dequantizeGguf',
  takes:
    'tszo<superBlockScaleScale:t superBlockMinScale:t quantizedBlockScale:t quantizedBlockMin:t>z?',
  reference: (...[input, blockSize, targetDtype, qparams, outputDtype]: DequantizeArgs) => {
    const dtype = requireFloat(outputDtype ?? input.dtype, 'the output')
    return applyBlocks(input, blockSize, targetDtype, qparams, dtype, dequantizeRun)
  },
  meta: (...[input, blockSize, targetDtype, qparams, outputDtype]: DequantizeArgs) => {
    ggufLayout(input, blockSize, targetDtype)
    const dtype = requireFloat(outputDtype ?? resultDtype(input, qparams), 'the output')
    return zeros(input.shape, dtype, input.device)
  },
})

function resultDtype(input: Tensor, qparams: GgufQparams): FloatDType {
  return promoteFloat(input.dtype, qparams.superBlockScaleScale.dtype)
}

type RunChange = (
  row: Float32Array,
  start: number,
  end: number,
  scale: number,
  min: number,
  round: (x: number) => number,
) => void

function quantizeRun(...[row, start, end, scale, min, round]: Parameters<RunChange>): void {
  for (let i = start; i < end; i++) row[i] = round(round((row[i] as number) - min) / scale)
}

function dequantizeRun(...[row, start, end, scale, min, round]: Parameters<RunChange>): void {
  for (let i = start; i < end; i++) row[i] = round(round((row[i] as number) * scale) + min)
}

/** Changes each block with its scale and minimum as the two levels give them. */
function applyBlocks(
  input: Tensor,
  blockSize: readonly number[],
  targetDtype: DType,
  qparams: GgufQparams,
  outputDtype: FloatDType,
  change: RunChange,
): Tensor {
  const { perSuper } = ggufLayout(input, blockSize, targetDtype)
  const layout = blockLayout(input.shape, blockSize)
  const { superBlockScaleScale, superBlockMinScale, quantizedBlockScale, quantizedBlockMin } =
    qparams
  checkBlockCount(quantizedBlockScale, layout.count, 'quantizedBlockScale')
  checkBlockCount(quantizedBlockMin, layout.count, 'quantizedBlockMin')
  checkBlockCount(superBlockScaleScale, layout.count / perSuper, 'superBlockScaleScale')
  checkBlockCount(superBlockMinScale, layout.count / perSuper, 'superBlockMinScale')
  const roundParameter = rounder(floatDTypeOf(superBlockScaleScale, 'superBlockScaleScale'))
  const product = (values: Tensor, scales: Tensor): Float32Array => {
    const scale = hostFloat32(scales)
    return hostFloat32(values).map((value, i) =>
      roundParameter(value * (scale[Math.floor(i / perSuper)] as number)),
    )
  }
  const scale = product(quantizedBlockScale, superBlockScaleScale)
  const min = product(quantizedBlockMin, superBlockMinScale)
  const round = rounder(resultDtype(input, qparams))
  return mapRows(input, layout, outputDtype, (row, firstBlock) => {
    for (let i = 0, block = firstBlock; i < row.length; i += layout.runLength, block++) {
      change(row, i, i + layout.runLength, scale[block] as number, min[block] as number, round)
    }
  })
}

function ggufLayout(
  input: Tensor,
  blockSize: readonly number[],
  targetDtype: DType,
): { shape: number[]; superShape: number[]; perSuper: number } {
  if (targetDtype !== 'uint4') {
    throw fail(ValueError, 'the target uint4', targetDtype)
  }
  const [n, k] = input.shape as readonly [number, number]
  const [rows, size] = blockSize as readonly [number, number]
  const fits = input.ndim === 2 && blockSize.length === 2 && k % SUPER_BLOCK === 0
  if (!fits || rows !== 1 || !(size >= 1) || SUPER_BLOCK % size !== 0) {
    throw fail(
      ShapeError,
      'blocks [1, size] of 256 / size in a tensor [N, K] with K a multiple of 256',
      `blocks [${blockSize.join(', ')}] in [${input.shape.join(', ')}]`,
    )
  }
  return { shape: [n, k / size], superShape: [n, k / SUPER_BLOCK], perSuper: SUPER_BLOCK / size }
}
