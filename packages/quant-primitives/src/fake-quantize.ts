/** @file Quantizing and dequantizing in one step, for training that sees the error of quantization. */

import {
  defineOp,
  fromArray,
  ValueError,
  zeros,
  type DType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fail } from './errors.ts'
import { dequantizeLoop, dequantizeRow, quantizeLoop, quantizeRow } from './affine-rows.ts'
import { checkZeroPoint } from './affine.ts'
import { floatDTypeOf } from './arithmetic.ts'
import { blockLayout, type BlockLayout } from './blocks.ts'
import { quantBounds, type QuantBounds, type QuantBoundsOptions } from './bounds.ts'
import { mapRows, type RowVisitor } from './rows.ts'
import { tinygemmDequantizer, tinygemmQuantizer } from './tinygemm.ts'

/**
 * What a zero point is: a code (`INT`), the value of the middle code (`FLOAT`, as tinygemm has it), or
 * absent (`NONE`); torchao's `ZeroPointDomain`.
 */
export type ZeroPointDomain = 'INT' | 'FLOAT' | 'NONE'

/** Options of {@link fakeQuantizeAffine}. */
export interface FakeQuantizeOptions extends QuantBoundsOptions {
  /** `INT` unless given. */
  readonly zeroPointDomain?: ZeroPointDomain | undefined
}

type FakeQuantizeArgs<Options> = [
  input: Tensor,
  blockSize: readonly number[],
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  quantDtype: DType,
  options?: Options,
]

/**
 * `input` quantized and dequantized, in its own dtype; torchao's `_fake_quantize_affine`.
 *
 * Codes are never cast to an integer dtype, so NaN stays NaN.
 *
 * @throws {@link ValueError} when the zero point and its domain contradict each other, or for bounds that
 * `quantDtype` does not have
 * @throws {@link ShapeError} when blocks do not fit the input, or scales the blocks
 */
export const fakeQuantizeAffine: Op<
  FakeQuantizeArgs<FakeQuantizeOptions>,
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'fakeQuantizeAffine',
  takes: 'tstt?zo?',
  reference: (...args: FakeQuantizeArgs<FakeQuantizeOptions>): Tensor => {
    const [input] = args
    const { layout, quantize, dequantize } = fakeQuantizer(...args)
    return mapRows(input, layout, input.dtype, (row, block, start) => {
      quantize(row, block, start)
      dequantize(row, block, start)
    })
  },
  meta: (...[input]: FakeQuantizeArgs<FakeQuantizeOptions>): Tensor =>
    zeros(input.shape, floatDTypeOf(input), input.device),
})

/** What {@link fakeQuantizeAffineCachemask} gives. */
export interface FakeQuantized {
  /** The input, quantized and dequantized. */
  readonly output: Tensor
  /** bool, of the input's shape: false where codes are NaN. */
  readonly mask: Tensor
}

/** Options of {@link fakeQuantizeAffineCachemask}: bounds must be given. */
export interface CachemaskOptions extends QuantBounds {
  /** `INT` unless given. */
  readonly zeroPointDomain?: ZeroPointDomain | undefined
}

/**
 * {@link fakeQuantizeAffine} with the mask of codes within bounds; torchao's
 * `_fake_quantize_affine_cachemask`.
 *
 * @remarks As in torchao the mask is taken of clamped codes, so it is false for NaN only.
 * @throws as {@link fakeQuantizeAffine}
 */
export const fakeQuantizeAffineCachemask: Op<
  [...Required<FakeQuantizeArgs<CachemaskOptions>>],
  FakeQuantized
> = /* @__PURE__ */ defineOp({
  name: 'fakeQuantizeAffineCachemask',
  takes: 'tstt?zo',
  reference: (...args: Required<FakeQuantizeArgs<CachemaskOptions>>): FakeQuantized => {
    const [input, , , , , { quantMin, quantMax }] = args
    const { layout, quantize, dequantize } = fakeQuantizer(...args)
    const mask = new Uint8Array(input.numel)
    const output = mapRows(input, layout, input.dtype, (row, block, start) => {
      quantize(row, block, start)
      row.forEach((code, i) => {
        mask[start + i] = code >= quantMin && code <= quantMax ? 1 : 0
      })
      dequantize(row, block, start)
    })
    return { output, mask: fromArray(mask, input.shape, 'bool') }
  },
  meta: (...[input]: Required<FakeQuantizeArgs<CachemaskOptions>>): FakeQuantized => ({
    output: zeros(input.shape, floatDTypeOf(input), input.device),
    mask: zeros(input.shape, 'bool', input.device),
  }),
})

interface FakeQuantizer {
  readonly layout: BlockLayout
  readonly quantize: RowVisitor
  readonly dequantize: RowVisitor
}

function fakeQuantizer(
  ...[
    input,
    blockSize,
    scale,
    zeroPoint,
    quantDtype,
    options = {},
  ]: FakeQuantizeArgs<FakeQuantizeOptions>
): FakeQuantizer {
  const dtype = floatDTypeOf(input)
  const bounds = quantBounds(quantDtype, options)
  const layout = blockLayout(input.shape, blockSize)
  const domain = options.zeroPointDomain ?? 'INT'
  if (domain === 'NONE') checkNoZeroPoint(zeroPoint)
  else checkZeroPoint(zeroPoint)
  if (domain === 'FLOAT' && zeroPoint) {
    return {
      layout,
      quantize: tinygemmQuantizer(dtype, layout, scale, zeroPoint, bounds),
      dequantize: tinygemmDequantizer(dtype, layout, scale, zeroPoint, bounds),
    }
  }
  const down = quantizeLoop(dtype, layout, scale, zeroPoint, bounds)
  const up = dequantizeLoop(dtype, layout, scale, zeroPoint)
  return {
    layout,
    quantize: (row, block) => quantizeRow(row, block, down),
    dequantize: (row, block) => dequantizeRow(row, block, up),
  }
}

function checkNoZeroPoint(zeroPoint: Tensor | undefined): void {
  if (zeroPoint === undefined) return
  throw fail(ValueError, 'no zero point in the domain NONE', zeroPoint)
}
