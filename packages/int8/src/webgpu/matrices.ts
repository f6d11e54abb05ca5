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
  /** What numbers are in shared memory; f32 tests the same arithmetic where shaders lack f16. */
  readonly half: 'f16' | 'f32'
}

/** The sizes that are used unless others are given. */
export const MATRIX_TUNING: MatrixTuning = {
  ...{ partM: 2, partN: 4, subgroupsM: 2, subgroupsN: 2 },
  half: 'f16',
}

const FEWEST_TOKENS = 33

/** Numbers along K in shared memory, and from one row to the next: STEP and STRIDE of `matrix.wgsl`. */
const STEP = 32
const STRIDE = 40

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
  const front = arithmeticWgsl + productSource + matrixSource
  const program = wgsl('int8Matrix', front + operations)
  const method = (
    what: string,
    element: string,
    sum: string,
    suits: (problem: Problem) => boolean,
  ): Method => {
    const tileOf = (capabilities: Capabilities): Tile | undefined =>
      tileFor(capabilities, tuning, element, sum)
    return {
      name: `matrices of ${what}`,
      when: `${what}, ${FEWEST_TOKENS} tokens or more, whole tiles of the weight, a scale a row, subgroup matrices`,
      tokensAtOnce: (capabilities) => tileOf(capabilities)?.tokens ?? 1,
      fits: (capabilities, problem) => {
        const tile = tileOf(capabilities)
        return tile !== undefined && suits(problem) && isWhole(problem, tile)
      },
      plan: (capabilities, _m, _weight, defines) => {
        const { shape, tokens, rows } = tileOf(capabilities) as Tile
        return {
          program: program({
            ...defines,
            ...(element === 'i8' ? { SIXTEENS: true, X: 'i32', W: 'i32' } : { H: tuning.half }),
            ...{ K: 'params.k', GROUP: 'params.group' },
            ...{ M: shape.M, N: shape.N, DEPTH: shape.K },
            ...{ PART_M: tuning.partM, PART_N: tuning.partN },
            ...{ SUBGROUPS_M: tuning.subgroupsM, SUBGROUPS_N: tuning.subgroupsN },
            SUBGROUP: capabilities.maxSubgroupSize,
          }),
          workgroups: (m, n) => [Math.ceil(m / tokens), n / rows],
        }
      },
    }
  }
  return [
    method(
      'symmetric codes',
      'i8',
      'i32',
      ({ activation }) => activation?.mappingType === 'SYMMETRIC',
    ),
    method('float16', 'f16', 'f32', ({ dtype, activation }) => dtype === 'float16' && !activation),
  ]
}

/** What a workgroup multiplies. */
interface Tile {
  readonly shape: SubgroupMatrixShape
  readonly tokens: number
  readonly rows: number
}

/** The tile of matrices of `element`; none where the GPU lacks them, or subgroups are of several sizes. */
function tileFor(
  capabilities: Capabilities,
  { partM, partN, subgroupsM, subgroupsN, half }: MatrixTuning,
  element: string,
  sum: string,
): Tile | undefined {
  const { minSubgroupSize, maxSubgroupSize, maxInvocations, maxWorkgroupStorage } = capabilities
  const shape = capabilities.subgroupMatrices.find(
    (it) => it.componentType === element && it.resultComponentType === sum && STEP % it.K === 0,
  )
  const subgroups = subgroupsM * subgroupsN
  if (!shape || minSubgroupSize !== maxSubgroupSize) return undefined
  const tokens = shape.M * partM * subgroupsM
  const rows = shape.N * partN * subgroupsN
  const numbers = element === 'i8' ? 0 : (tokens + rows) * STRIDE * (half === 'f16' ? 2 : 4)
  const bytes = numbers + subgroups * shape.M * shape.N * 4
  const hasRoom = subgroups * maxSubgroupSize <= maxInvocations && bytes <= maxWorkgroupStorage
  return hasRoom ? { shape, tokens, rows } : undefined
}

function isWhole({ m, n, k, group }: Problem, { rows }: Tile): boolean {
  return m >= FEWEST_TOKENS && n % rows === 0 && k % STEP === 0 && group === k
}
