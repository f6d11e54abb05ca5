/** @file How a product is cut into matrices of subgroups, and which cut suits a GPU. */

import type { Capabilities, SubgroupMatrixShape } from '../capabilities.ts'

/** What a workgroup makes of a product. */
export interface MatrixTile {
  /** Rows and columns of the output for a workgroup, and for each of its subgroups. */
  readonly m: number
  readonly n: number
  readonly subgroupM: number
  readonly subgroupN: number
  /** Numbers along K that lie in shared memory at a time: 32 times a power of two, or less where that is too many. */
  readonly step: number
  /** Steps that lie there: with 2, one is written while the other is read. 1 unless given. */
  readonly buffers?: 1 | 2
}

/** How products are cut. */
export interface MatrixTuning {
  /** Products of fewer rows are left to other kernels. */
  readonly minRows: number
  /** A smaller tile is taken where a larger one would make fewer workgroups. */
  readonly wantedWorkgroups: number
  /** Largest first. */
  readonly tiles: readonly MatrixTile[]
  /** Whether each thread does what subgroups do, and in 32 bits, to test what is around it. */
  readonly isAlone?: boolean
}

/** The sizes that are used unless others are given: the best of an H100. */
export const MATRIX_TUNING: MatrixTuning = {
  minRows: 9,
  wantedWorkgroups: 96,
  tiles: [
    { m: 128, n: 256, subgroupM: 64, subgroupN: 64, step: 32 },
    { m: 128, n: 128, subgroupM: 64, subgroupN: 32, step: 64 },
    { m: 64, n: 64, subgroupM: 32, subgroupN: 32, step: 64 },
    { m: 32, n: 64, subgroupM: 16, subgroupN: 32, step: 64 },
    { m: 16, n: 64, subgroupM: 16, subgroupN: 16, step: 64 },
  ],
}

/** What matrices hold: float16, summed in float32, or four codes of int8 in each word, summed in int32. */
export type MatrixElement = 'f16' | 'i8'

const SUMS = { f16: 'f32', i8: 'i32' } as const

/** Numbers of a cell of shared memory, and cells between the end of a row and the next. */
export const CELLS = { f16: { numbers: 1, padding: 8 }, i8: { numbers: 4, padding: 4 } } as const

/** A tile as a GPU can take it. */
export interface ChosenTile {
  readonly tile: MatrixTile
  readonly element: MatrixElement
  readonly shape: SubgroupMatrixShape
  /** Threads of a subgroup, and of a workgroup. */
  readonly subgroup: number
  readonly threads: number
  readonly step: number
  readonly isAlone: boolean
}

/** Of a product: `left` (m, k) times the transpose of `right` (n, k). */
export interface ProductSize {
  readonly m: number
  readonly n: number
  readonly k: number
}

/**
 * The largest tile that makes as many workgroups as wanted and does not waste much; of those that the GPU can
 * take, if none does, the one of most workgroups. `undefined` where there are no such matrices.
 */
export function chooseTile(
  capabilities: Capabilities,
  { tiles, wantedWorkgroups, isAlone = false }: MatrixTuning,
  element: MatrixElement,
  { m, n, k }: ProductSize,
): ChosenTile | undefined {
  const subgroups = isAlone ? aloneWith(element) : subgroupsOf(capabilities, element)
  const possible = tiles.flatMap((tile) => fitted(capabilities, subgroups, tile, element, k) ?? [])
  const rowsMade = ({ tile }: ChosenTile): number => Math.ceil(m / tile.m) * tile.m
  const least = Math.min(...possible.map(rowsMade))
  const isGood = (chosen: ChosenTile): boolean => {
    const workgroups = Math.ceil(m / chosen.tile.m) * Math.ceil(n / chosen.tile.n)
    return workgroups >= wantedWorkgroups && rowsMade(chosen) <= MOST_WASTE * least
  }
  return possible.find(isGood) ?? possible.at(-1)
}

// Rows beyond the last are computed and thrown away: half as many again as the smallest tile makes, at most.
const MOST_WASTE = 1.5

/** Threads of a subgroup, and the matrices that it multiplies, best first. */
interface Subgroups {
  readonly subgroup: number
  readonly isAlone: boolean
  readonly shapes: readonly SubgroupMatrixShape[]
}

function fitted(
  { maxInvocations, maxWorkgroupStorage }: Capabilities,
  { subgroup, isAlone, shapes }: Subgroups,
  tile: MatrixTile,
  element: MatrixElement,
  k: number,
): ChosenTile | undefined {
  const { m, n, subgroupM, subgroupN, buffers = 1 } = tile
  const shape = shapes.find(
    ({ M, N, K }) => subgroupM % M === 0 && subgroupN % N === 0 && 32 % K === 0,
  )
  const subgroups = (m / subgroupM) * (n / subgroupN)
  const threads = subgroups * subgroup
  if (!shape || threads > maxInvocations) return undefined
  const cellBytes = element === 'f16' && !isAlone ? 2 : 4
  const { numbers, padding } = CELLS[element]
  for (let { step } = tile; step >= 32; step /= 2) {
    const bytes =
      cellBytes * buffers * (m + n) * (step / numbers + padding) + 4 * subgroups * shape.M * shape.N
    if (Math.ceil(k / 32) % (step / 32) === 0 && bytes <= maxWorkgroupStorage) {
      return { tile, element, shape, subgroup, threads, step, isAlone }
    }
  }
  return undefined
}

/** Subgroups whose size is known, and their matrices, largest first. */
function subgroupsOf(
  { minSubgroupSize, maxSubgroupSize: subgroup, subgroupMatrices }: Capabilities,
  element: MatrixElement,
): Subgroups {
  if (minSubgroupSize !== subgroup) return { subgroup, isAlone: false, shapes: [] }
  const size = ({ M, N, K }: SubgroupMatrixShape): number => M * N * K
  const shapes = subgroupMatrices
    .filter((it) => it.componentType === element && it.resultComponentType === SUMS[element])
    .sort((a, b) => size(b) - size(a))
  return { subgroup, isAlone: false, shapes }
}

/** In place of subgroups: threads which all do the same. */
function aloneWith(element: MatrixElement): Subgroups {
  const shape = { M: 4, N: 4, K: 8, componentType: element, resultComponentType: SUMS[element] }
  return { subgroup: 16, isAlone: true, shapes: [shape] }
}
