/** @file Products of int8 codes by matrices of subgroups. */

import type { GPU } from '@ao/kernels-webgpu'
import {
  chooseTile,
  matrixDefines,
  matrixProgram,
  matrixWorkgroups,
  type ChosenTile,
  type MatrixElement,
  type MatrixTuning,
  type ProductSize,
} from '@ao/kernels-webgpu/matrices'
import type { MatrixSide } from './decoder.ts'
import { int8InputWgsl, type Int8Programs, type Int8Variant } from './int8-linear.ts'
import matrixSide from './wgsl/decode/int8-matrix.wgsl'
import int8Matrix from './wgsl/int8-matrix.wgsl'

/** The right side of products of float16 with weights of `int8Decoder`, for `floatMatrices`. */
export const INT8_MATRIX_SIDE: MatrixSide = {
  wgsl: matrixSide,
  items: { leftNumbers: 8, rightRows: 1, rightNumbers: 16, fours: true },
  scalesResults: true,
}

/**
 * Products of inputs of int8, without zero points, by matrices of subgroups, where a GPU has them: for
 * {@link int8LinearVariants}.
 *
 * @param own - sizes in place of those of `Int8Tuning`
 */
/* @__NO_SIDE_EFFECTS__ */
export function int8Matrices(own?: MatrixTuning): (programs: Int8Programs) => Int8Variant[] {
  return (programs) => [int8(programs, own ?? programs.tuning.matrix)]
}

const INT8: MatrixElement = 'i8'
const INT8_ITEMS = { leftNumbers: 16, rightRows: 1, rightNumbers: 16, fours: true } as const

function int8({ decoder }: Int8Programs, tuning: MatrixTuning): Int8Variant {
  const program = matrixProgram(
    `${decoder.name} int8 matrix`,
    [int8InputWgsl(decoder), int8Matrix].join('\n'),
  )
  const tileOf = (gpu: GPU, size: ProductSize): ChosenTile | undefined =>
    chooseTile(gpu.capabilities, tuning, INT8, size)
  return {
    name: 'gemm, subgroup matrices of int8',
    when: `from ${tuning.minRows} rows without zero points on, K a multiple of 32, a scale a row, GPUs with subgroup matrices of i8`,
    fits: (gpu, { m, weight: { n, k, groupSize }, isAsymmetric }) =>
      m >= tuning.minRows &&
      !isAsymmetric &&
      k % 32 === 0 &&
      groupSize >= k &&
      tileOf(gpu, { m, n, k }) !== undefined,
    plan: (gpu, { m, weight: { n, k } }) => {
      const tile = tileOf(gpu, { m, n, k }) as ChosenTile
      return {
        program,
        defines: matrixDefines(tile, INT8_ITEMS, k),
        workgroups: (rows, count) => matrixWorkgroups(tile, count, rows),
      }
    },
  }
}
