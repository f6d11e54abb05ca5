/** @file Products by matrices of subgroups, an experiment of Chromium's and Dawn's. */

import { wgsl, type Capabilities, type Defines, type SubgroupMatrixShape } from '@ao/kernels-webgpu'
import { arithmeticWgsl, largestOf, type TileSize } from '@ao/quant-primitives/webgpu'
import matrixSource from './matrix.wgsl'
import productSource from './product.wgsl'
import type { Method, Problem } from './products.ts'

/** What a workgroup multiplies, in matrices of subgroups. */
export interface MatrixTile {
  /** Matrices of a subgroup along tokens, and along rows of the weight. */
  readonly partM: number
  readonly partN: number
  /** Subgroups of a workgroup, likewise. */
  readonly subgroupsM: number
  readonly subgroupsN: number
  /** Numbers or codes along K that lie in shared memory. */
  readonly step: number
}

/** How products are cut into matrices. */
export interface MatrixTuning {
  /** Fewer are left to other methods. */
  readonly fewestTokens: number
  /** A smaller tile is taken where a larger one would make fewer. */
  readonly wantedWorkgroups: number
  /** Largest first. */
  readonly tiles: readonly MatrixTile[]
  /** Whether each thread does what subgroups do, and in 32 bits, to test what is around it. */
  readonly isAlone: boolean
}

/** The sizes that are used unless others are given: from an H100. */
export const MATRIX_TUNING: MatrixTuning = {
  fewestTokens: 9,
  wantedWorkgroups: 96,
  tiles: [
    { partM: 4, partN: 2, subgroupsM: 2, subgroupsN: 4, step: 64 },
    { partM: 2, partN: 2, subgroupsM: 2, subgroupsN: 2, step: 64 },
    { partM: 2, partN: 2, subgroupsM: 2, subgroupsN: 2, step: 32 },
    { partM: 1, partN: 2, subgroupsM: 2, subgroupsN: 2, step: 64 },
    { partM: 1, partN: 1, subgroupsM: 1, subgroupsN: 4, step: 64 },
    { partM: 1, partN: 1, subgroupsM: 1, subgroupsN: 4, step: 32 },
  ],
  isAlone: false,
}

/**
 * Methods for `int8Kernels` that multiply by matrices of subgroups, where the GPU has them: symmetric codes,
 * and numbers of float16.
 */
/* @__NO_SIDE_EFFECTS__ */
export function subgroupMatrices(tuning: MatrixTuning = MATRIX_TUNING): Method[] {
  const program = wgsl('int8Matrix', arithmeticWgsl + productSource + matrixSource)
  const method = (
    what: string,
    kind: MatrixKind,
    suits: (problem: Problem) => boolean,
  ): Method => ({
    name: `matrices of ${what}`,
    when: `${what}, ${tuning.fewestTokens} tokens or more, K in whole steps, a scale a row, subgroup matrices`,
    fits: (capabilities, problem) =>
      problem.m >= tuning.fewestTokens &&
      problem.group === problem.k &&
      suits(problem) &&
      tileFor(capabilities, tuning, kind, problem) !== undefined,
    plan: (capabilities, m, { n, k }, defines) => {
      const found = tileFor(capabilities, tuning, kind, { m, n, k }) as ChosenTile
      const { shape, tile, tokens, rows } = found
      const threads = tile.subgroupsM * tile.subgroupsN * capabilities.maxSubgroupSize
      return {
        program: program({
          ...defines,
          ...{ SIXTEENS: true, W: 'vec4u', H: tuning.isAlone ? 'f32' : 'f16' },
          ...{ K: `${k}u`, GROUP: `${k}u`, ALONE: tuning.isAlone },
          ...{ M: shape.M, N: shape.N, DEPTH: shape.K, DEPTHS: tile.step / shape.K },
          ...{ PART_M: tile.partM, PART_N: tile.partN, STEP: tile.step },
          ...{ SUBGROUPS_M: tile.subgroupsM, SUBGROUPS_N: tile.subgroupsN },
          SUBGROUP: capabilities.maxSubgroupSize,
          ...roundsOf('X', (tokens * tile.step) / kind.tokensPerTask, threads),
          ...roundsOf('W', (rows * tile.step) / 16, threads),
          Y_ROUNDS: Math.ceil((shape.M * shape.N) / capabilities.maxSubgroupSize),
        }),
        workgroups: (count, n) => [Math.ceil(count / tokens), Math.ceil(n / rows)],
      }
    },
  })
  return [
    method('symmetric codes', CODES, (it) => it.activation?.mappingType === 'SYMMETRIC'),
    method('float16', NUMBERS, ({ dtype, activation }) => dtype === 'float16' && !activation),
  ]
}

/** What lies in the matrices. */
interface MatrixKind {
  readonly element: string
  readonly sum: string
  /** Bytes of one in shared memory, and of what rows are apart from each other besides. */
  readonly bytes: number
  readonly padding: number
  /** As in matrix.wgsl. */
  readonly tokensPerTask: number
}

const CODES: MatrixKind = { element: 'i8', sum: 'i32', bytes: 1, padding: 16, tokensPerTask: 16 }
const NUMBERS: MatrixKind = { element: 'f16', sum: 'f32', bytes: 2, padding: 8, tokensPerTask: 8 }

/** How often threads take up a task each until all are done. */
function roundsOf(name: string, tasks: number, threads: number): Defines {
  return { [`${name}_ROUNDS`]: Math.ceil(tasks / threads), [`${name}_REST`]: tasks % threads !== 0 }
}

interface ChosenTile {
  readonly tile: MatrixTile
  readonly shape: SubgroupMatrixShape
  /** Of a workgroup. */
  readonly tokens: number
  readonly rows: number
}

/** The tile for `m` tokens; none where the GPU lacks the matrices, or subgroups are of several sizes. */
function tileFor(
  capabilities: Capabilities,
  { tiles, wantedWorkgroups, isAlone }: MatrixTuning,
  { element, sum, bytes, padding }: MatrixKind,
  { m, n, k }: Pick<Problem, 'm' | 'n' | 'k'>,
): ChosenTile | undefined {
  const { minSubgroupSize, maxSubgroupSize, maxInvocations, maxWorkgroupStorage } = capabilities
  if (minSubgroupSize !== maxSubgroupSize) return undefined
  const ofKind = capabilities.subgroupMatrices.filter(
    (it) => it.componentType === element && it.resultComponentType === sum,
  )
  const possible: ChosenTile[] = []
  for (const tile of tiles) {
    const { partM, partN, subgroupsM, subgroupsN, step } = tile
    const shape = ofKind.find((it) => step % it.K === 0)
    if (!shape || k % step !== 0) continue
    const subgroups = subgroupsM * subgroupsN
    const tokens = shape.M * partM * subgroupsM
    const rows = shape.N * partN * subgroupsN
    const own = (tokens + rows) * (step + padding) * (isAlone ? 2 * bytes : bytes)
    const shared = own + subgroups * shape.M * shape.N * 4
    if (subgroups * maxSubgroupSize <= maxInvocations && shared <= maxWorkgroupStorage) {
      possible.push({ tile, shape, tokens, rows })
    }
  }
  const sizeOf = ({ tokens, rows }: ChosenTile): TileSize => ({ m: tokens, n: rows })
  return largestOf(possible, m, n, wantedWorkgroups, sizeOf)
}
