/** @file Products with int4 weights: the variants of a format's `linear` op. */

import {
  cast,
  isFloatDType,
  itemSize,
  numelOf,
  zeros,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  type Defines,
  type GPU,
  type Program,
  type Variant,
  type Workgroups,
} from '@ao/kernels-webgpu'
import { bindParts, rangeOf, rowRanges } from './bindings.ts'
import { roundRowsToFloat8 } from './float8.ts'
import { weightDefines, type Int4Programs, type Int4Stored } from './layout.ts'
import { int4Tuning, lanesFor, type Int4TuningOptions } from './tuning.ts'

/** A product to compute: `x @ weight^T + bias`. */
export interface Int4Product {
  /** (..., K) */
  readonly x: Tensor
  readonly weight: Int4Stored
  /** (N) */
  readonly bias: Tensor | undefined
  /**
   * What `x` is rounded to first: float8_e4m3fn, with a scale for each row, or bfloat16, as are then the
   * bias, the sums and the result before it is cast to the dtype of `x`.
   */
  readonly inputDtype?: 'float8_e4m3fn' | 'bfloat16'
  /** Whether sums are rounded before the bias is added; they are, unless given. */
  readonly roundsBeforeBias?: boolean
}

/** One way to compute it. */
interface Way {
  readonly name: string
  readonly when: string
  readonly fits: (gpu: GPU, product: Int4Product) => boolean
  readonly program: (product: Int4Product, gpu: GPU) => (defines: Defines) => Program
  readonly workgroups: (rows: number, m: number, product: Int4Product) => Workgroups
}

const ROUNDING = { float32: false, float16: 'round_f16', bfloat16: 'round_bf16' } as const
const BITS = { float32: '', float16: 'f16_bits', bfloat16: 'bf16_bits' } as const

/**
 * The variants of an op that multiplies with weights of one layout, best first.
 *
 * @param productOf - what an op's arguments ask for
 */
/* @__NO_SIDE_EFFECTS__ */
export function int4LinearVariants<Args extends readonly unknown[]>(
  programs: Int4Programs,
  productOf: (...args: Args) => Int4Product,
  options?: Int4TuningOptions,
): Variant<Args, Tensor>[] {
  return ways(programs, options).map((way) => ({
    name: way.name,
    when: way.when,
    fits: (gpu, ...args) => {
      const product = productOf(...args)
      return isBindable(gpu, product) && way.fits(gpu, product)
    },
    run: (gpu, ...args) => gpu.scope(() => multiply(gpu, programs, productOf(...args), way)),
  }))
}

function isBindable(gpu: GPU, { x, bias, weight }: Int4Product): boolean {
  const { codes: _codes, ...others } = weight.parts
  return (
    isFloatDType(x.dtype) &&
    (!bias || isFloatDType(bias.dtype)) &&
    Object.values(others).every((part) => !part || part.nbytes <= gpu.capabilities.maxBindingSize)
  )
}

const rowsOf = (x: Tensor): number => numelOf(x.shape.slice(0, -1))

function ways(programs: Int4Programs, options?: Int4TuningOptions): Way[] {
  const tuning = int4Tuning(options)
  const hasPieces = ({ weight }: Int4Product): boolean => weight.groupSize % 32 === 0
  const hasHalf = (gpu: GPU, { x, inputDtype }: Int4Product): boolean =>
    (gpu.capabilities.f16 || tuning.gemv.half === 'f32') && x.dtype === 'float16' && !inputDtype
  const gemv = (half: boolean, subgroups: boolean): Way => {
    const lanes = ({ weight }: Int4Product): number =>
      lanesFor(tuning.gemv, Math.ceil(weight.n / 4), Math.ceil(weight.k / 32))
    const threads = (product: Int4Product): number => Math.max(tuning.gemv.threads, lanes(product))
    const needs = [half && 'shader-f16', subgroups && 'subgroups'].filter(Boolean)
    return {
      name: ['gemv', half && 'products in f16', subgroups && 'subgroups']
        .filter(Boolean)
        .join(', '),
      when: [
        half ? 'one row of float16' : 'one row',
        'groups of 32 or a multiple',
        ...(needs.length ? [`GPUs with ${needs.join(' and ')}`] : []),
      ].join(', '),
      fits: (gpu, product) =>
        hasPieces(product) &&
        rowsOf(product.x) === 1 &&
        (!half || hasHalf(gpu, product)) &&
        (!subgroups || gpu.capabilities.subgroups),
      program: (product, gpu) => (defines) =>
        programs.gemv({
          ...defines,
          ...laneDefines(threads(product), lanes(product), subgroups ? gpu : undefined),
          HALF: half,
          H: half ? tuning.gemv.half : 'f32',
        }),
      workgroups: (rows, _m, product) =>
        grid(Math.ceil(Math.ceil(rows / 4) / (threads(product) / lanes(product)))),
    }
  }
  return [
    gemv(true, true),
    gemv(true, false),
    gemv(false, true),
    gemv(false, false),
    {
      name: 'gemm 64 x 64',
      when: 'groups of 32 or a multiple',
      fits: (_gpu, product) => hasPieces(product),
      program: () => (defines) =>
        programs.gemm({
          ...defines,
          H: 'f32',
          THREADS: 1024 / tuning.gemm.tile,
          TILE: tuning.gemm.tile,
        }),
      workgroups: (rows, m) => [Math.ceil(rows / 64), Math.ceil(m / 64)],
    },
    {
      name: 'code by code',
      when: 'any group size',
      fits: () => true,
      program: () => programs.any,
      workgroups: (rows, m) => grid(Math.ceil((Math.ceil(rows / 4) * m) / 64)),
    },
  ]
}

function laneDefines(threads: number, lanes: number, gpu: GPU | undefined): Defines {
  const subgroup = gpu ? Math.min(lanes, gpu.capabilities.minSubgroupSize) : 1
  return {
    THREADS: threads,
    LANES: lanes,
    SUBGROUP: subgroup,
    SUBGROUP_STEPS: Math.log2(subgroup),
    IN_SUBGROUP: subgroup === lanes,
  }
}

function multiply(gpu: GPU, programs: Int4Programs, product: Int4Product, way: Way): Tensor {
  const { x, weight, bias, inputDtype } = product
  const shape = [...x.shape.slice(0, -1), weight.n]
  const computed = inputDtype === 'bfloat16' ? 'bfloat16' : (x.dtype as FloatDType)
  // Two numbers of 16 bits share a word, which only one thread may write.
  const y = gpu.empty(shape, weight.n % 2 === 0 ? computed : 'float32')
  const rounded: Int4Product = {
    ...product,
    x: inputDtype === 'float8_e4m3fn' ? roundRowsToFloat8(gpu, x) : as(x, computed),
    bias: bias && inputDtype === 'bfloat16' ? as(bias, computed) : bias,
  }
  dispatchParts(gpu, programs, rounded, way, y, computed)
  return as(as(y, computed), x.dtype)
}

const as = (tensor: Tensor, dtype: StoredDType): Tensor =>
  tensor.dtype === dtype ? tensor : cast(tensor, dtype)

function dispatchParts(
  gpu: GPU,
  programs: Int4Programs,
  product: Int4Product,
  way: Way,
  y: DenseTensor,
  dtype: FloatDType,
): void {
  const { weight, bias, roundsBeforeBias = true } = product
  const x = gpu.dense(wholePieces(product.x, weight.groupSize % 32 === 0))
  const codes = gpu.dense(weight.parts.codes)
  const bindings = bindParts(gpu, { ...weight.parts, codes })
    .add('x', x)
    .add('bias', bias && gpu.dense(bias))
    .add('y', y)
  const defines: Defines = {
    ...weightDefines(programs, weight),
    ...bindings.defines,
    X_BINDING: bindings.defines['x_BINDING'] as number,
    X_DTYPE: x.dtype,
    Y_BINDING: bindings.defines['y_BINDING'] as number,
    Y_DTYPE: y.dtype,
    Y_BITS: BITS[y.dtype as FloatDType],
    ROUND: roundsBeforeBias && ROUNDING[dtype],
  }
  const program = way.program(product, gpu)(defines)
  const [xBytes, yBytes] = [x, y].map(rowBytesOf) as [number, number]
  for (const inputs of rowRanges(gpu, rowsOf(x), [xBytes, yBytes])) {
    for (const part of rowRanges(gpu, codes.nbytes / weight.rowBytes, [weight.rowBytes])) {
      const rows = Math.min(part.rows, weight.n - part.first)
      if (rows <= 0) break // padding
      gpu.dispatch(program, {
        bind: bindings.bind({
          codes: rangeOf(codes, part, weight.rowBytes),
          x: rangeOf(x, inputs, xBytes),
          y: rangeOf(y, inputs, yBytes),
        }),
        params: [part.first, rows, inputs.rows, 0],
        workgroups: way.workgroups(rows, inputs.rows, product),
      })
    }
  }
}

const rowBytesOf = ({ shape, dtype }: DenseTensor): number =>
  (shape.at(-1) as number) * itemSize(dtype)

/** `x` with zeros after each row, where pieces of 32 do not divide it. */
function wholePieces(x: Tensor, hasPieces: boolean): Tensor {
  const k = x.shape.at(-1) as number
  if (!hasPieces || k % 32 === 0) return x
  const padded = zeros(x.shape.with(-1, Math.ceil(k / 32) * 32), x.dtype, x.device)
  padded.narrow(-1, 0, k).copy_(x)
  return padded
}
