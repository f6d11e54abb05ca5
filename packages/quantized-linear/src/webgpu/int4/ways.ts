/** @file The ways to multiply, best first: what each takes, and how it is laid out on a GPU. */

import { numelOf, type Tensor } from '@ao/base-tensor'
import {
  grid,
  type Defines,
  type GPU,
  type ProgramMaker,
  type Workgroups,
} from '@ao/kernels-webgpu'
import {
  chooseTile,
  matrixDefines,
  matrixWorkgroups,
  type ChosenTile,
} from '@ao/kernels-webgpu/matrices'
import { STEPS, type Int4Programs, type Int4Stored } from './layout.ts'
import { lanesFor, type Int4LaneTuning, type Int4Tuning } from './tuning.ts'

/** A product to compute: `x @ weight^T + bias`. */
export interface Int4Product {
  /** (..., K) */
  readonly x: Tensor
  readonly weight: Int4Stored
  /** (N) */
  readonly bias: Tensor | undefined
  /**
   * What `x` is rounded to first: float8_e4m3fn, with a scale for each row, or bfloat16.
   */
  readonly inputDtype?: 'float8_e4m3fn' | 'bfloat16'
}

/** One way to compute it. */
export interface Way {
  readonly name: string
  readonly when: string
  readonly fits: (gpu: GPU, product: Int4Product) => boolean
  readonly plan: (gpu: GPU, product: Int4Product) => Plan
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

const GROUPS = 'groups of 32 or a multiple'
const hasPieces = ({ weight }: Int4Product): boolean => weight.groupSize % 32 === 0

/** All ways, best first. */
export function linearWays(programs: Int4Programs, tuning: Int4Tuning): Way[] {
  return [
    gemv(programs, tuning, true, true),
    gemv(programs, tuning, true, false),
    gemv(programs, tuning, false, true),
    gemv(programs, tuning, false, false),
    matrix(programs, tuning),
    batch(programs, tuning, true),
    batch(programs, tuning, false),
    {
      name: 'gemm 64 x 64',
      when: GROUPS,
      fits: (_gpu, product) => hasPieces(product),
      plan: () => ({
        program: programs.gemm,
        defines: { H: 'f32', THREADS: 1024 / tuning.gemm.tile, TILE: tuning.gemm.tile },
        workgroups: (rows, m) => [Math.ceil(rows / 64), Math.ceil(m / 64)],
      }),
    },
    {
      name: 'code by code',
      when: 'any group size',
      fits: () => true,
      plan: () => ({
        program: programs.any,
        defines: {},
        workgroups: (rows, m) => grid(Math.ceil((Math.ceil(rows / 4) * m) / 64)),
      }),
    },
  ]
}

function gemv(programs: Int4Programs, tuning: Int4Tuning, half: boolean, subgroups: boolean): Way {
  const type = tuning.half
  return {
    name: listed('gemv', half && 'products in f16', subgroups && 'subgroups'),
    when: listed(
      half ? 'one row of float16' : 'one row',
      GROUPS,
      half && 'GPUs with shader-f16',
      subgroups && 'GPUs with subgroups',
    ),
    fits: (gpu, product) =>
      hasPieces(product) &&
      rowsOf(product.x) === 1 &&
      (!half || (isHalf(product) && (gpu.capabilities.f16 || type === 'f32'))) &&
      (!subgroups || gpu.capabilities.subgroups),
    plan: (gpu, product) => {
      const walks = lanePlan(tuning.gemv, product, 1, subgroups ? gpu : undefined)
      const defines = {
        HAS_NEXT: Math.ceil(product.weight.k / 32) > walks.lanes,
        USES_SUM: !half || !product.weight.isSymmetric,
      }
      return {
        program: programs.gemv,
        defines: { ...walks.defines, ...defines, HALF: half, H: half ? type : 'f32' },
        workgroups: (rows) => walks.workgroups(rows),
      }
    },
  }
}

function batch(programs: Int4Programs, tuning: Int4Tuning, subgroups: boolean): Way {
  const { columns, maxRows } = tuning.batch
  return {
    name: listed(`batch`, subgroups && 'subgroups'),
    when: listed(`up to ${maxRows} rows`, GROUPS, subgroups && 'GPUs with subgroups'),
    fits: (gpu, product) =>
      hasPieces(product) &&
      rowsOf(product.x) <= maxRows &&
      (!subgroups || gpu.capabilities.subgroups),
    plan: (gpu, product) => {
      const m = rowsOf(product.x)
      const own = Math.min(columns, 2 ** Math.ceil(Math.log2(m)))
      const walks = lanePlan(tuning.batch, product, Math.ceil(m / own), subgroups ? gpu : undefined)
      return {
        program: programs.batch,
        defines: { ...walks.defines, H: 'f32', COLUMNS: own },
        workgroups: (rows, inputs) => {
          const [x, y = 1] = walks.workgroups(rows)
          return [x, y, Math.ceil(inputs / own)]
        },
      }
    },
  }
}

function matrix(programs: Int4Programs, { half, matrix }: Int4Tuning): Way {
  const tuning = { ...matrix, isAlone: half === 'f32' }
  const tileOf = (gpu: GPU, { x, weight: { n, k } }: Int4Product): ChosenTile | undefined =>
    chooseTile(gpu.capabilities, tuning, 'f16', { m: rowsOf(x), n, k })
  const [slotStep, twosStep, side] = STEPS[programs.layout.order]
  const items = { leftNumbers: 8, rightRows: 4, rightNumbers: 8, fours: true, slots: 4 }
  return {
    name: 'gemm, subgroup matrices',
    when: `from ${matrix.minRows} rows of float16 on, ${GROUPS}, GPUs with subgroup matrices of f16 summed in f32`,
    fits: (gpu, product) =>
      hasPieces(product) &&
      isHalf(product) &&
      (half === 'f32' || gpu.capabilities.f16) &&
      rowsOf(product.x) >= matrix.minRows &&
      tileOf(gpu, product) !== undefined,
    plan: (gpu, product) => {
      const tile = tileOf(gpu, product) as ChosenTile
      const defines = matrixDefines(tile, { ...items, slotStep, twosStep, side }, product.weight.k)
      return {
        program: programs.matrix,
        defines: { ...defines, H: half, HALF_QPARAMS: hasHalfQparams(product) },
        workgroups: (rows, m) => matrixWorkgroups(tile, m, rows),
      }
    },
  }
}

/** Whether scales and zero points are numbers of float16 themselves. */
function hasHalfQparams({ weight }: Int4Product): boolean {
  const { codes: _codes, ...numbers } = weight.parts
  return Object.values(numbers).every((part) => !part || part.dtype === 'float16')
}

// Numbers of float16 are numbers of float16 still when they are rounded to bfloat16, which has fewer bits.
const isHalf = ({ x, inputDtype }: Int4Product): boolean =>
  x.dtype === 'float16' && inputDtype !== 'float8_e4m3fn'

const listed = (...words: readonly (string | false)[]): string => words.filter(Boolean).join(', ')

/**
 * Lanes along K, and workgroups of them.
 *
 * @param columns - how often each row of the weight is walked along
 * @param gpu - where subgroups are to be used
 */
function lanePlan(
  tuning: Int4LaneTuning,
  { weight }: Int4Product,
  columns: number,
  gpu: GPU | undefined,
): { lanes: number; defines: Defines; workgroups: (rows: number) => Workgroups } {
  const walks = Math.ceil(weight.n / 4)
  const lanes = lanesFor(tuning, walks * columns, Math.ceil(weight.k / 32))
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
