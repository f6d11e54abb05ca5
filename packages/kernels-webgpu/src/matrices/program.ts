/** @file Programs of products by matrices of subgroups. */

import { takes } from '@ao/base-tensor'
import type { Workgroups } from '../command.ts'
import { wgsl, type ProgramMaker } from '../program.ts'
import type { Defines } from '../template.ts'
import matrixTypes from './matrix-types.wgsl'
import matrixSource from './matrix.wgsl'
import { CELLS, type ChosenTile } from './tiles.ts'

/** How a product's items, as `load_left` and `load_right` give them, are laid into shared memory. */
export interface MatrixItems {
  /** Numbers of an item of the left side. */
  readonly leftNumbers: number
  /** Rows of an item of the right side, and numbers along K of each. */
  readonly rightRows: number
  readonly rightNumbers: number
  /** Items that share a stretch of K, and how far apart they begin: one after the other unless given. */
  readonly slots?: number
  readonly slotStep?: number
  /** From two cells to the next two, and from one to the other: one after the other unless given. */
  readonly twosStep?: number
  readonly side?: number
  /** Whether `take` takes four neighbours. */
  readonly fours?: boolean
}

/**
 * The programs of a product whose WGSL, `front`, says how both sides are loaded and what becomes of results:
 * see `matrix.wgsl`. Its defines are those of {@link matrixDefines} and the product's own.
 */
/* @__NO_SIDE_EFFECTS__ */
export function matrixProgram(name: string, front: string): ProgramMaker {
  takes('xx', name, front)
  return wgsl(
    name,
    `${front}
${matrixTypes}
${matrixSource}`,
  )
}

/** What `matrix.wgsl` is made with, for products of `k` along K. */
export function matrixDefines(
  { tile, element, shape, subgroup, threads, step, isAlone }: ChosenTile,
  items: MatrixItems,
  k: number,
): Defines {
  const { leftNumbers, rightRows, rightNumbers, slots = 1, slotStep = 0, fours = false } = items
  const { twosStep = 2, side = 1 } = items
  const { numbers, padding } = CELLS[element]
  const perResult = fours ? 4 : 1
  return {
    ALONE: isAlone,
    ...{ M_SIZE: shape.M, N_SIZE: shape.N, K_SIZE: shape.K, K_SIZES: step / shape.K },
    ...{ PART_M: tile.subgroupM / shape.M, PART_N: tile.subgroupN / shape.N },
    ...{ SUBGROUPS_M: tile.m / tile.subgroupM, SUBGROUPS_N: tile.n / tile.subgroupN },
    ...{ SUBGROUP: subgroup, STEP: step, STEPS: Math.ceil(k / 32) / (step / 32) },
    ...{ BUFFERS: tile.buffers ?? 1, PER_CELL: numbers, PADDING: padding },
    ...{ LEFT_PER: `${leftNumbers}u`, LEFT_TWOS: leftNumbers / numbers / 2 },
    ...{ RIGHT_PER: `${rightNumbers}u`, RIGHT_TWOS: rightNumbers / numbers / 2 },
    RIGHT_ROWS: rightRows,
    ...{ SLOTS: `${slots}u`, SLOT_STEP: `${slotStep}u` },
    ...{ TWOS_STEP: `${twosStep}u`, PAIR_STEP: `${side}u` },
    ...{ FOURS: fours, PER_RESULT: `${perResult}u` },
    ...roundsOf('LEFT', (tile.m * step) / leftNumbers, threads),
    ...roundsOf('RIGHT', (tile.n * step) / rightRows / rightNumbers, threads),
    RESULT_ROUNDS: Math.ceil((shape.M * shape.N) / perResult / subgroup),
  }
}

/** Workgroups for an output of `m` rows and `n` columns. */
export function matrixWorkgroups({ tile }: ChosenTile, m: number, n: number): Workgroups {
  return [Math.ceil(m / tile.m), Math.ceil(n / tile.n)]
}

/** How often threads take up a task each until all are done. */
function roundsOf(name: string, tasks: number, threads: number): Defines {
  return { [`${name}_ROUNDS`]: Math.ceil(tasks / threads), [`${name}_REST`]: tasks % threads !== 0 }
}
