/** @file Matrices of subgroups, an experiment of Chromium's and Dawn's: dense products, and what formats share. */

export { denseMatrices } from './matrices/dense.ts'
export {
  matrixDefines,
  matrixProgram,
  matrixWorkgroups,
  type MatrixItems,
} from './matrices/program.ts'
export {
  chooseTile,
  MATRIX_TUNING,
  type ChosenTile,
  type MatrixElement,
  type MatrixTile,
  type MatrixTuning,
  type ProductSize,
} from './matrices/tiles.ts'
