/** @file Products by matrices of subgroups, an experiment of Chromium's and Dawn's. */

import {
  chooseTile,
  MATRIX_TUNING,
  matrixDefines,
  matrixProgram,
  matrixWorkgroups,
  type ChosenTile,
  type MatrixElement,
  type MatrixItems,
  type MatrixTuning,
} from '@ao/kernels-webgpu/matrices'
import { arithmeticWgsl } from '@ao/quant-primitives/webgpu'
import matrixSource from './matrix.wgsl'
import productSource from './product.wgsl'
import type { Method, Problem } from './products.ts'

/** What lies in the matrices, and for which products. */
interface Kind {
  readonly what: string
  readonly element: MatrixElement
  readonly items: MatrixItems
  readonly suits: (problem: Problem) => boolean
}

const KINDS: readonly Kind[] = [
  {
    what: 'symmetric codes',
    element: 'i8',
    items: { leftNumbers: 16, rightRows: 1, rightNumbers: 16 },
    suits: ({ activation }) => activation?.mappingType === 'SYMMETRIC',
  },
  {
    what: 'float16',
    element: 'f16',
    items: { leftNumbers: 8, rightRows: 1, rightNumbers: 16 },
    suits: ({ dtype, activation }) => dtype === 'float16' && !activation,
  },
]

/** Without the largest tile: on an H100, 512 tokens take a third longer with it. */
const TUNING: MatrixTuning = { ...MATRIX_TUNING, tiles: MATRIX_TUNING.tiles.slice(1) }

/**
 * Methods for `int8Kernels` that multiply by matrices of subgroups, where the GPU has them: symmetric codes,
 * and numbers of float16.
 */
/* @__NO_SIDE_EFFECTS__ */
export function subgroupMatrices(tuning: MatrixTuning = TUNING): Method[] {
  const program = matrixProgram('int8Matrix', arithmeticWgsl + productSource + matrixSource)
  return KINDS.map(({ what, element, items, suits }) => ({
    name: `matrices of ${what}`,
    when: `${what}, ${tuning.minRows} tokens or more, K a multiple of 32, a scale a row, subgroup matrices`,
    fits: (capabilities, problem) =>
      problem.m >= tuning.minRows &&
      problem.k % 32 === 0 &&
      problem.group === problem.k &&
      suits(problem) &&
      (element === 'i8' || capabilities.f16 || tuning.isAlone === true) &&
      chooseTile(capabilities, tuning, element, problem) !== undefined,
    plan: (capabilities, m, { n, k }, defines) => {
      const tile = chooseTile(capabilities, tuning, element, { m, n, k }) as ChosenTile
      return {
        program: program({
          ...defines,
          ...matrixDefines(tile, items, k),
          ...{ SIXTEENS: true, W: 'vec4u', K: `${k}u`, GROUP: `${k}u` },
          H: tuning.isAlone ? 'f32' : 'f16',
        }),
        workgroups: (count, rows) => matrixWorkgroups(tile, count, rows),
      }
    },
  }))
}
