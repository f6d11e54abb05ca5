/** @file Products of floats by matrices of subgroups, an experiment of Chromium's and Dawn's. */

import { isFloatDType } from '@ao/base-tensor'
import type { GPU, ProgramMaker } from '@ao/kernels-webgpu'
import {
  chooseTile,
  matrixDefines,
  matrixProgram,
  matrixWorkgroups,
  type ChosenTile,
  type MatrixTuning,
} from '@ao/kernels-webgpu/matrices'
import { floatsWgsl, type MatrixSide, type WeightDecoder } from './decoder.ts'
import type { LinearTuning } from './tuning.ts'
import {
  isHalf,
  isPlain,
  rowsOf,
  type LinearProduct,
  type LinearVariant,
  type MoreVariants,
} from './variants.ts'
import matrixOfLevels4 from './wgsl/decode/matrix-of-levels4.wgsl'
import matrix from './wgsl/matrix.wgsl'

/**
 * Products of float16 by matrices of subgroups, where a GPU has them: for {@link linearVariants}.
 *
 * @param own - sizes in place of those of `LinearTuning`
 * @param side - in place of the decoder's
 */
/* @__NO_SIDE_EFFECTS__ */
export function floatMatrices(own?: MatrixTuning, side?: MatrixSide): MoreVariants {
  return ({ decoder }, { half, matrix }) => [
    floats(decoder, side ?? decoder.matrix, half, own ?? matrix),
  ]
}

function floats(
  decoder: WeightDecoder,
  side: MatrixSide | undefined,
  half: LinearTuning['half'],
  sizes: MatrixTuning,
): LinearVariant {
  const program = floatsProgram(decoder, side)
  const tuning = { ...sizes, isAlone: sizes.isAlone ?? half === 'f32' }
  const tileOf = (gpu: GPU, { x, weight: { n, k } }: LinearProduct): ChosenTile | undefined =>
    chooseTile(gpu.capabilities, tuning, 'f16', { m: rowsOf(x), n, k })
  const { chunk } = decoder
  const { items = ITEMS } = side ?? {}
  // Values that may be beyond float16 are not made: sums of levels are scaled.
  const scalesResults = (product: LinearProduct): boolean =>
    side ? side.scalesResults === true : !hasHalfScales(product)
  return {
    name: 'gemm, subgroup matrices',
    when: `from ${tuning.minRows} rows of float16 on${scalesAlways(side) ? '' : `, scales of float16${side ? '' : ' or one a row'}`}, GPUs with subgroup matrices of f16 summed in f32`,
    fits: (gpu, product) =>
      isPlain(product) &&
      isHalf(product) &&
      (scalesResults(product)
        ? product.weight.groupSize >= product.weight.k &&
          (scalesAlways(side) || product.weight.isSymmetric === true)
        : hasHalfScales(product)) &&
      (chunk === 32 || product.weight.k % 32 === 0) &&
      (tuning.isAlone || gpu.capabilities.f16) &&
      rowsOf(product.x) >= tuning.minRows &&
      tileOf(gpu, product) !== undefined,
    plan: (gpu, product) => {
      const tile = tileOf(gpu, product) as ChosenTile
      return {
        program,
        defines: {
          ...matrixDefines(tile, items, product.weight.k),
          H: tuning.isAlone ? 'f32' : 'f16',
          HALF_QPARAMS: hasHalfQparams(product),
          SCALES_RESULTS: scalesResults(product),
        },
        workgroups: (rows, m) => matrixWorkgroups(tile, m, rows),
      }
    },
  }
}

/** Eight neighbours of one row, in sequence. */
const ITEMS = { leftNumbers: 8, rightRows: 1, rightNumbers: 8, fours: true } as const

/* @__NO_SIDE_EFFECTS__ */
function floatsProgram(decoder: WeightDecoder, own: MatrixSide | undefined): ProgramMaker {
  const { before, after } = floatsWgsl(decoder)
  const side = own?.wgsl ?? matrixOfLevels4
  return matrixProgram(`${decoder.name} matrix`, [before, after, side, matrix].join('\n'))
}

const scalesAlways = (side?: MatrixSide): boolean => side?.scalesResults === true

/** Whether values can be numbers of float16: scales of other dtypes may give larger ones. */
function hasHalfScales({ weight }: LinearProduct): boolean {
  const { codes: _codes, zero, ...scales } = weight.parts
  return (
    Object.values(scales).every((part) => !part || part.dtype === 'float16') &&
    (!zero || zero.dtype === 'float16' || !isFloatDType(zero.dtype))
  )
}

/** Whether scales and zero points are numbers of float16 themselves. */
function hasHalfQparams({ weight }: LinearProduct): boolean {
  const { codes: _codes, ...numbers } = weight.parts
  return Object.values(numbers).every((part) => !part || part.dtype === 'float16')
}
