/** @file float8: scales of blocks, codes, numbers, and what codes leave of numbers. */

import {
  asDense,
  finfo,
  isFloat8DType,
  isFloatDType,
  rounder,
  type DenseTensor,
  type Float8DType,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  kernel,
  wgsl,
  type Defines,
  type GPU,
  type KernelSet,
  type ProgramMaker,
} from '@ao/kernels-webgpu'
import {
  chooseScaleFloat8,
  dequantizeAffineFloat8,
  fakeQuantizeAffineFloat8,
  quantizeAffineFloat8,
  type Float8ScaleOptions,
} from '@ao/quant-primitives'
import {
  areContiguousBlocks,
  arithmeticWgsl,
  blockRanges,
  blockSizeOfScale,
  convertBlocks,
  converter,
  elementDefines,
  finiteScales,
  roundingDefines,
  type Conversion,
} from '@ao/quant-primitives/webgpu'
import dequantizeSource from './wgsl/float8/dequantize.wgsl'
import source from './wgsl/float8/format.wgsl'
import quantizeSource from './wgsl/float8/quantize.wgsl'
import roundSource from './wgsl/float8/round.wgsl'
import scalesSource from './wgsl/float8/scales.wgsl'

const scales: ProgramMaker = /* @__PURE__ */ wgsl(
  'float8 scales',
  arithmeticWgsl + source + scalesSource,
)
const rounds: ProgramMaker = /* @__PURE__ */ wgsl(
  'float8 rounds',
  arithmeticWgsl + source + roundSource,
)
const quantizer = /* @__PURE__ */ converter('quantizeAffineFloat8', source + quantizeSource)
const dequantizer = /* @__PURE__ */ converter('dequantizeAffineFloat8', source + dequantizeSource)

const BLOCKS = 'blocks of the last two dimensions'
const THREADS = 256
/** Elements of a block that a workgroup rounds: from here on, many read it. */
const LARGEST_BLOCK = 32_768

/** How float8 rounds a block. */
export interface Float8Rule extends Float8ScaleOptions {
  readonly float8Dtype: Float8DType
  /** What scales are rounded to. */
  readonly scaleRounding: FloatDType
}

function ruleDefines(rule: Float8Rule): Defines {
  const { float8Dtype, scaleRounding, hpValueLb, hpValueUb, finite } = rule
  const bound = (x: number | undefined): string => `f32(${rounder(scaleRounding)(x ?? 0)})`
  const { limit, smallest } = finiteScales(scaleRounding, float8Dtype)
  return {
    ...formatDefines(float8Dtype, finite),
    ...roundingDefines({ SCALE: scaleRounding }),
    HAS_LOWEST: hpValueLb !== undefined,
    LOWEST: bound(hpValueLb),
    HAS_HIGHEST: hpValueUb !== undefined,
    HIGHEST: bound(hpValueUb),
    LIMIT: `f32(${limit})`,
    // Elsewhere scales are far from it.
    HAS_SMALLEST: (finite ?? false) && scaleRounding === 'float16',
    SMALLEST: `f32(${smallest})`,
  }
}

function formatDefines(float8Dtype: Float8DType, finite: boolean | undefined): Defines {
  const [mantissa, bias] = float8Dtype === 'float8_e4m3fn' ? [3, 7] : [2, 15]
  return {
    FLOAT8: float8Dtype,
    MANTISSA: mantissa as number,
    BIAS: bias as number,
    LARGEST: `${finfo(float8Dtype).max}f`,
    FINITE: finite ?? false,
  }
}

/** Defines of programs that convert, and choose no scales. */
function conversionDefines(dtype: Float8DType, finite: boolean | undefined): Defines {
  return {
    ...formatDefines(dtype, finite),
    ...{ HAS_LOWEST: false, HAS_HIGHEST: false, HAS_SMALLEST: false },
    ...{ LOWEST: '0f', HIGHEST: '0f', LIMIT: '0f', SMALLEST: '0f', ROUND_SCALE: '' },
  }
}

/**
 * `x` with the elements of each block as neighbours in memory; undefined for blocks that span more than the
 * last two dimensions.
 */
function inRuns(x: Tensor, blockSize: readonly number[]): Tensor | undefined {
  if (areContiguousBlocks(x, blockSize)) return x
  const [rows = 0, columns = 0] = blockSize.slice(-2)
  if (x.numel === 0 || blockSize.slice(0, -2).some((size) => size !== 1)) return undefined
  const k = x.shape.at(-1) as number
  const grid = [x.numel / (k * rows), k / columns] as const
  const blocks = asDense(x).contiguous().view([grid[0], rows, grid[1], columns])
  return blocks.transpose(1, 2).contiguous()
}

/** What became of {@link inRuns}, in the order of `x`. */
function inOrder(runs: DenseTensor, x: Tensor, blockSize: readonly number[]): DenseTensor {
  return areContiguousBlocks(x, blockSize) ? runs : runs.transpose(1, 2).contiguous().view(x.shape)
}

const hasBlocks = ({ shape, numel }: Tensor, blockSize: readonly number[]): boolean => {
  const isUnit = blockSize.slice(0, -2).every((size) => size === 1)
  return (
    numel > 0 &&
    shape.length === blockSize.length &&
    (isUnit || areContiguousBlocks({ shape, numel } as Tensor, blockSize))
  )
}

/** `x` in float32, as float8 leaves its blocks of `length` neighbours. */
export function roundToFloat8(gpu: GPU, x: Tensor, length: number, rule: Float8Rule): DenseTensor {
  const input = gpu.dense(x)
  const rounded = gpu.empty(x.shape, 'float32')
  const blocks = x.numel / length
  gpu.dispatch(rounds({ ...ruleDefines(rule), ...elementDefines('IN', input), THREADS }), {
    bind: [input, rounded],
    params: [blocks, length],
    workgroups: grid(blocks),
  })
  return rounded
}

function chooseScales(
  gpu: GPU,
  x: Tensor,
  blocks: readonly number[],
  rule: Float8Rule,
): DenseTensor {
  const runs = inRuns(x, blocks) as Tensor
  const out = gpu.empty(
    x.shape.map((size, d) => (blocks[d] === -1 ? 1 : size / (blocks[d] as number))),
    'float32',
  )
  const { ranges, parts } = blockRanges(gpu, runs, out.numel)
  gpu.dispatch(scales(ruleDefines(rule)), {
    bind: [ranges, out],
    params: [out.numel, parts],
    workgroups: grid(Math.ceil(out.numel / 64)),
  })
  return out
}

function convert(
  gpu: GPU,
  x: Tensor,
  scale: Tensor,
  conversion: Omit<Conversion, 'bounds'>,
): Tensor {
  const blocks = blockSizeOfScale(scale, x.shape)
  return gpu.scope(() => {
    const bounds = { quantMin: 0, quantMax: 0 } // codes have no others than their own
    const runs = inRuns(x, blocks) as Tensor
    return inOrder(convertBlocks(gpu, runs, scale, undefined, { ...conversion, bounds }), x, blocks)
  })
}

const fitsScale = (x: Tensor, scale: Tensor): boolean =>
  scale.dtype === 'float32' && hasBlocks(x, blockSizeOfScale(scale, x.shape))

function ruleOf(x: Tensor, float8Dtype: Float8DType, options: Float8ScaleOptions): Float8Rule {
  return { ...options, float8Dtype, scaleRounding: x.dtype as FloatDType }
}

/** Kernels of the ops on float8. */
export const float8Kernels: KernelSet = [
  kernel(chooseScaleFloat8, [
    {
      name: 'ranges, then scales',
      when: BLOCKS,
      fits: (_gpu, x, blockSize, _dtype, options) =>
        isFloatDType(x.dtype) &&
        options?.scaleDtype !== 'float8_e8m0fnu' &&
        hasBlocks(x, blockSize),
      run: (gpu, x, blockSize, float8Dtype = 'float8_e4m3fn', options = {}) =>
        gpu.scope(() => chooseScales(gpu, x, blockSize, ruleOf(x, float8Dtype, options))),
    },
  ]),
  kernel(quantizeAffineFloat8, [
    {
      name: 'four elements a thread',
      when: BLOCKS,
      fits: (_gpu, x, scale) => isFloatDType(x.dtype) && fitsScale(x, scale),
      run: (gpu, x, scale, float8Dtype = 'float8_e4m3fn', options = {}) =>
        convert(gpu, x, scale, {
          program: quantizer,
          to: float8Dtype,
          roundings: {},
          defines: conversionDefines(float8Dtype, options.finite),
        }),
    },
  ]),
  kernel(dequantizeAffineFloat8, [
    {
      name: 'four elements a thread',
      when: BLOCKS,
      fits: (_gpu, x, scale) => isFloat8DType(x.dtype) && fitsScale(x, scale),
      run: (gpu, x, scale, outputDtype = 'float32', options = {}) =>
        convert(gpu, x, scale, {
          program: dequantizer,
          to: outputDtype,
          roundings: { OUT: outputDtype },
          defines: conversionDefines(x.dtype as Float8DType, options.finite),
        }),
    },
  ]),
  kernel(fakeQuantizeAffineFloat8, [
    {
      name: 'a workgroup a block',
      when: `blocks of up to ${LARGEST_BLOCK} neighbours`,
      fits: (_gpu, x, blockSize, _dtype, options) =>
        isFloatDType(x.dtype) &&
        options?.scaleDtype !== 'float8_e8m0fnu' &&
        areContiguousBlocks(x, blockSize) &&
        lengthOf(x, blockSize) <= LARGEST_BLOCK,
      run: (gpu, x, blockSize, float8Dtype = 'float8_e4m3fn', options = {}) =>
        roundToFloat8(gpu, x, lengthOf(x, blockSize), ruleOf(x, float8Dtype, options)),
    },
    {
      name: 'scales, codes, numbers',
      when: BLOCKS,
      fits: (_gpu, ...[x, blockSize]) => isFloatDType(x.dtype) && hasBlocks(x, blockSize),
      run: (gpu, ...args) => gpu.scope(() => fakeQuantizeAffineFloat8.reference(...args)),
    },
  ]),
]

function lengthOf({ shape }: Tensor, blockSize: readonly number[]): number {
  return blockSize.reduce(
    (product, size, d) => product * (size === -1 ? (shape[d] as number) : size),
    1,
  )
}
