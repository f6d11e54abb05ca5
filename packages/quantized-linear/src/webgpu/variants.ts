/** @file The variants of a product with floats, best first: what each takes, and how it is laid out on a GPU. */

import { numelOf, type FloatDType, type Tensor } from '@ao/base-tensor'
import {
  grid,
  type Defines,
  type GPU,
  type ProgramMaker,
  type Workgroups,
} from '@ao/kernels-webgpu'
import { hasWholeChunks, type LinearPrograms, type StoredWeight } from './decoder.ts'
import { lanesFor, type LaneTuning, type LinearTuning } from './tuning.ts'

/** A product to compute: `x @ weight^T + bias`, and what may be fused with it. */
export interface LinearProduct {
  /** (..., K) */
  readonly x: Tensor
  readonly weight: StoredWeight
  /** (N) */
  readonly bias?: Tensor | undefined
  /** What `x` is rounded to first; see {@link toFloat8} and {@link toBfloat16}. */
  readonly rounding?: InputRounding | undefined
  /** `x` is normalized first, `x / sqrt(mean(x^2) + eps) * weight`: `weight` (K). */
  readonly rmsNorm?: { readonly weight: Tensor; readonly eps: number } | undefined
  /** Added to the result: (..., N). */
  readonly residual?: Tensor | undefined
  /** A second weight of the same sizes, and its bias; the result is what `join` makes of both products. */
  readonly second?: Second | undefined
}

/** `silu(a) * b`: of a gate and what goes up with it. */
export const SILU_MUL = 'a / (1.0 + exp(-a)) * b'

/** What is done with an input before it is multiplied. */
export interface InputRounding {
  /** Of the result. */
  readonly dtype: FloatDType
  readonly round: (gpu: GPU, x: Tensor) => Tensor
}

/** Another weight that `x` is multiplied with. */
export interface Second {
  readonly weight: StoredWeight
  readonly bias?: Tensor | undefined
  /** WGSL of a number of both products, `a` and `b`: see {@link SILU_MUL}. */
  readonly join: string
}

/** One variant of the kernels. */
export interface LinearVariant {
  readonly name: string
  readonly when: string
  readonly fits: (gpu: GPU, product: LinearProduct) => boolean
  readonly plan: (gpu: GPU, product: LinearProduct) => Plan
}

/** The program for a product, and how it is laid out. */
export interface Plan {
  readonly program: ProgramMaker
  readonly defines: Defines
  /** For rows of the weight by rows of the input. */
  readonly workgroups: (rows: number, m: number) => Workgroups
}

/** Rows of an input. */
export const rowsOf = (x: Tensor): number => numelOf(x.shape.slice(0, -1))

// What only the kernel for one row can fuse.
export const isPlain = ({ rmsNorm, second }: LinearProduct): boolean => !rmsNorm && !second

/** More variants, for what not all GPUs have. */
export type MoreVariants = (programs: LinearPrograms, tuning: LinearTuning) => LinearVariant[]

/**
 * All variants, best first.
 *
 * @param more - those to try before others for several rows
 */
export function variantsOf(
  programs: LinearPrograms,
  tuning: LinearTuning,
  more: MoreVariants = () => [],
): LinearVariant[] {
  const { decoder } = programs
  const chunks = `groups of whole chunks of ${decoder.chunk}`
  const isChunked = (product: LinearProduct): boolean => hasWholeChunks(decoder, product.weight)
  const chunked = ({ when, fits, ...rest }: LinearVariant): LinearVariant => ({
    ...rest,
    when: `${when}, ${chunks}`,
    fits: (gpu, product) => isChunked(product) && fits(gpu, product),
  })
  return [
    ...(decoder.half
      ? [gemv(programs, tuning, true, true), gemv(programs, tuning, true, false)]
      : []),
    gemv(programs, tuning, false, true),
    gemv(programs, tuning, false, false),
    ...more(programs, tuning),
    batch(programs, tuning, true),
    batch(programs, tuning, false),
    tile(programs, tuning),
  ]
    .map(chunked)
    .concat(generic(programs))
}

function gemv(
  programs: LinearPrograms,
  tuning: LinearTuning,
  half: boolean,
  subgroups: boolean,
): LinearVariant {
  const type = tuning.half
  return {
    name: listed('gemv', half && 'products in f16', subgroups && 'subgroups'),
    when: listed(
      half ? 'one row of float16' : 'one row',
      half && 'GPUs with shader-f16',
      subgroups && 'GPUs with subgroups',
    ),
    fits: (gpu, product) =>
      rowsOf(product.x) === 1 &&
      !(product.second && (product.bias ?? product.second.bias)) &&
      (!half ||
        (isHalf(product) && !product.rmsNorm && (gpu.capabilities.f16 || type === 'f32'))) &&
      (!subgroups || gpu.capabilities.subgroups),
    plan: (gpu, product) => {
      const { decoder } = programs
      const lanes = lanePlan(tuning.gemv, programs, product, 1, subgroups ? gpu : undefined)
      const { rmsNorm, second, weight } = product
      return {
        program: programs.gemv,
        defines: {
          ...lanes.defines,
          HAS_NEXT: Math.ceil(weight.k / decoder.chunk) > lanes.lanes,
          USES_SUM: usesSum(product, half, decoder.isOffset ?? false),
          HALF: half,
          H: half ? type : 'f32',
          WEIGHTS: second ? 2 : 1,
          NORM_EPS: rmsNorm?.eps ?? 0,
        },
        workgroups: (rows) => lanes.workgroups(rows),
      }
    },
  }
}

// The sum of the input is multiplied by zero points, and by what levels are read with on top.
function usesSum({ weight, second }: LinearProduct, half: boolean, isOffset: boolean): boolean {
  const isSymmetric = weight.isSymmetric && (second?.weight.isSymmetric ?? true)
  return (isOffset && !half) || !isSymmetric
}

function batch(programs: LinearPrograms, tuning: LinearTuning, subgroups: boolean): LinearVariant {
  const { columns, maxRows } = tuning.batch
  return {
    name: listed('batch', subgroups && 'subgroups'),
    when: listed(`up to ${maxRows} rows`, subgroups && 'GPUs with subgroups'),
    fits: (gpu, product) =>
      isPlain(product) &&
      rowsOf(product.x) <= maxRows &&
      (!subgroups || gpu.capabilities.subgroups),
    plan: (gpu, product) => {
      const m = rowsOf(product.x)
      const own = Math.min(columns, 2 ** Math.ceil(Math.log2(m)))
      const times = Math.ceil(m / own)
      const lanes = lanePlan(tuning.batch, programs, product, times, subgroups ? gpu : undefined)
      return {
        program: programs.batch,
        defines: { ...lanes.defines, H: 'f32', COLUMNS: own },
        workgroups: (rows, inputs) => {
          const [x, y = 1] = lanes.workgroups(rows)
          return [x, y, Math.ceil(inputs / own)]
        },
      }
    },
  }
}

function tile(programs: LinearPrograms, { tile }: LinearTuning): LinearVariant {
  return {
    name: 'gemm 64 x 64',
    when: 'any rows',
    fits: (_gpu, product) => isPlain(product),
    plan: () => ({
      program: programs.tile,
      defines: { H: 'f32', THREADS: 1024 / tile.rows, TILE: tile.rows },
      workgroups: (rows, m) => [Math.ceil(rows / 64), Math.ceil(m / 64)],
    }),
  }
}

function generic(programs: LinearPrograms): LinearVariant {
  return {
    name: 'number by number',
    when: 'any layout and group size',
    fits: (_gpu, product) => isPlain(product),
    plan: () => ({
      program: programs.generic,
      defines: {},
      workgroups: (rows, m) => grid(Math.ceil((Math.ceil(rows / 4) * m) / 64)),
    }),
  }
}

// Numbers of float16 are numbers of float16 still when they are rounded to bfloat16, which has fewer bits.
export const isHalf = ({ x, rounding }: LinearProduct): boolean =>
  x.dtype === 'float16' && rounding?.dtype !== 'float32'

const listed = (...words: readonly (string | false)[]): string => words.filter(Boolean).join(', ')

/**
 * Lanes along K, and workgroups of them.
 *
 * @param times - how often each row of the weight is read
 * @param gpu - where subgroups are to be used
 */
export function lanePlan(
  tuning: LaneTuning,
  { decoder }: Pick<LinearPrograms, 'decoder'>,
  { weight }: Pick<LinearProduct, 'weight'>,
  times: number,
  gpu: GPU | undefined,
): { lanes: number; defines: Defines; workgroups: (rows: number) => Workgroups } {
  const quads = Math.ceil(weight.n / 4)
  const lanes = lanesFor(tuning, quads * times, Math.ceil(weight.k / decoder.chunk))
  const threads = Math.max(tuning.threads, lanes)
  const subgroup = gpu ? Math.min(lanes, gpu.capabilities.minSubgroupSize) : 1
  return {
    lanes,
    defines: {
      THREADS: threads,
      LANES: lanes,
      SUBGROUP: subgroup,
      SUBGROUP_STEPS: Math.log2(subgroup),
      IN_SUBGROUP: subgroup === lanes,
    },
    workgroups: (rows) => grid(Math.ceil(Math.ceil(rows / 4) / (threads / lanes))),
  }
}
