/** @file Products by matrices of subgroups, an experiment of Chromium's and Dawn's. */

import { wgsl, type Capabilities, type SubgroupMatrixShape } from '@ao/kernels-webgpu'
import { arithmeticWgsl } from '@ao/quant-primitives/webgpu'
import operationsSource from './matrix-operations.wgsl'
import matrixSource from './matrix.wgsl'
import productSource from './product.wgsl'
import type { Method, Problem } from './products.ts'

/** How subgroups share a tile. */
export interface MatrixTuning {
  /** Matrices of a subgroup along tokens, and along rows of the weight. */
  readonly partM: number
  readonly partN: number
  /** Subgroups of a workgroup, likewise. */
  readonly subgroupsM: number
  readonly subgroupsN: number
  /** What numbers are in shared memory; float32 tests the same arithmetic where shaders lack f16. */
  readonly half: 'f16' | 'f32'
}

/** The sizes that are used unless others are given. */
export const MATRIX_TUNING: MatrixTuning = {
  partM: 2,
  partN: 4,
  subgroupsM: 2,
  subgroupsN: 2,
  half: 'f16',
}

/** Matrices that products are made of: codes, or numbers of float16 with sums of float32. */
const SIZE = 16
const CODES = { componentType: 'i8', resultComponentType: 'i32', M: SIZE, N: SIZE, K: 32 } as const
const NUMBERS = {
  componentType: 'f16',
  resultComponentType: 'f32',
  M: SIZE,
  N: SIZE,
  K: SIZE,
} as const

const FEWEST_TOKENS = 33

/** Numbers from one row in shared memory to the next: STRIDE of `matrix.wgsl`. */
const TILE_STRIDE = 40

/**
 * Methods for `int8Kernels` that multiply by matrices of subgroups, where the GPU has them: symmetric codes,
 * and numbers of float16.
 *
 * @param operations - WGSL of what is done with a matrix, to test what is around it
 */
/* @__NO_SIDE_EFFECTS__ */
export function subgroupMatrices(
  tuning: MatrixTuning = MATRIX_TUNING,
  operations: string = operationsSource,
): Method[] {
  const { partM, partN, subgroupsM, subgroupsN, half } = tuning
  const front = arithmeticWgsl + productSource + matrixSource
  const program = wgsl('int8Matrix', front + operations)
  const tokensAtOnce = SIZE * partM * subgroupsM
  const rowsAtOnce = SIZE * partN * subgroupsN
  const takes = ({ m, n, k, group }: Problem): boolean =>
    m >= FEWEST_TOKENS && n % rowsAtOnce === 0 && k % 32 === 0 && group === k
  const method = (
    what: string,
    shape: SubgroupMatrixShape,
    suits: (problem: Problem) => boolean,
  ): Method => ({
    name: `matrices of ${what}`,
    when: `${what}, ${FEWEST_TOKENS} tokens or more, N in ${rowsAtOnce}s, K in 32s, a scale a row, subgroup matrices`,
    tokensAtOnce: shape === CODES ? tokensAtOnce : 1,
    fits: (capabilities, problem) =>
      has(capabilities, shape) &&
      fitsIn(capabilities, shape, tuning) &&
      suits(problem) &&
      takes(problem),
    plan: ({ maxSubgroupSize }, _m, _weight, defines) => ({
      program: program({
        ...defines,
        ...(shape === CODES ? { SIXTEENS: true, X: 'i32', W: 'i32' } : { H: half }),
        K: 'params.k',
        GROUP: 'params.group',
        M: shape.M,
        N: shape.N,
        DEPTH: shape.K,
        PART_M: partM,
        PART_N: partN,
        SUBGROUPS_M: subgroupsM,
        SUBGROUPS_N: subgroupsN,
        SUBGROUP: maxSubgroupSize,
      }),
      workgroups: (m, n) => [Math.ceil(m / tokensAtOnce), n / rowsAtOnce],
    }),
  })
  return [
    method('symmetric codes', CODES, ({ activation }) => activation?.mappingType === 'SYMMETRIC'),
    method('float16', NUMBERS, ({ dtype, activation }) => dtype === 'float16' && !activation),
  ]
}

/** Whether subgroups are of one size, and have matrices of this shape. */
function has(capabilities: Capabilities, shape: SubgroupMatrixShape): boolean {
  const { subgroupMatrices: shapes, minSubgroupSize, maxSubgroupSize } = capabilities
  const isSame = (key: keyof SubgroupMatrixShape, other: SubgroupMatrixShape): boolean =>
    other[key] === shape[key]
  return (
    minSubgroupSize === maxSubgroupSize &&
    shapes.some((other) => Object.keys(shape).every((key) => isSame(key as never, other)))
  )
}

/** Whether a workgroup has the threads and the memory that it shares. */
function fitsIn(
  { maxInvocations, maxSubgroupSize, maxWorkgroupStorage }: Capabilities,
  shape: SubgroupMatrixShape,
  { partM, partN, subgroupsM, subgroupsN, half }: MatrixTuning,
): boolean {
  const subgroups = subgroupsM * subgroupsN
  const rows = SIZE * (partM * subgroupsM + partN * subgroupsN)
  const tiles = shape === CODES ? 0 : rows * TILE_STRIDE * (half === 'f16' ? 2 : 4)
  const results = subgroups * SIZE * SIZE * 4
  return subgroups * maxSubgroupSize <= maxInvocations && tiles + results <= maxWorkgroupStorage
}
