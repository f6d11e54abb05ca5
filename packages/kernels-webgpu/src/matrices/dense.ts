/** @file Dense products by matrices of subgroups. */

import { isFloatDType, linear, linearShape, type Tensor, takes } from '@ao/base-tensor'
import { linearKernel } from '../dense/linear.ts'
import { kernel, type GPU, type KernelSet } from '../kernel.ts'
import { onMeta } from '../on-meta.ts'
import { rowParts } from '../row-parts.ts'
import numbers from '../wgsl/numbers.wgsl'
import stored from '../wgsl/stored.wgsl'
import denseSource from './dense.wgsl'
import { matrixDefines, matrixProgram, matrixWorkgroups } from './program.ts'
import { chooseTile, MATRIX_TUNING, type ChosenTile, type MatrixTuning } from './tiles.ts'

const program = /* @__PURE__ */ matrixProgram('linear matrix', numbers + stored + denseSource)

/**
 * `linear` of float16 by matrices of subgroups where the GPU has them, and as `denseKernels` compute it
 * elsewhere: pass it after them.
 */
/* @__NO_SIDE_EFFECTS__ */
export function denseMatrices(tuning: MatrixTuning = MATRIX_TUNING): KernelSet {
  takes('o<minRows:n wantedWorkgroups:n tiles:l>?', tuning)
  const tileOf = (gpu: GPU, input: Tensor, weight: Tensor): ChosenTile | undefined => {
    const [n, k] = weight.shape as [number, number]
    return chooseTile(gpu.capabilities, tuning, 'f16', { m: rowsOf(input), n, k })
  }
  const fits = (gpu: GPU, input: Tensor, weight: Tensor, bias?: Tensor): boolean =>
    (gpu.capabilities.f16 || tuning.isAlone === true) &&
    [input, weight].every(({ dtype }) => dtype === 'float16') &&
    (bias === undefined || isFloatDType(bias.dtype)) &&
    (weight.shape[1] as number) % 32 === 0 &&
    (weight.shape[0] as number) % 2 === 0 &&
    rowsOf(input) >= tuning.minRows &&
    tileOf(gpu, input, weight) !== undefined
  const run = (gpu: GPU, input: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
    const shape = linearShape(input, weight)
    if (bias && bias.numel !== weight.shape[0]) onMeta(linear, input, weight, bias)
    const [n, k] = weight.shape as [number, number]
    const tile = tileOf(gpu, input, weight) as ChosenTile
    const items = { leftNumbers: 8, rightRows: 1, rightNumbers: 8, fours: true }
    return gpu.scope(() => {
      const y = gpu.empty(shape, 'float16')
      const [x, w] = [gpu.dense(input), gpu.dense(weight)]
      const defines = { K: k, H: tuning.isAlone ? 'f32' : 'f16', BIAS: bias?.dtype ?? false }
      for (const part of rowParts(gpu, w, 64)) {
        gpu.dispatch(program({ ...matrixDefines(tile, items, k), ...defines }), {
          bind: [x, part.range, y, ...(bias ? [gpu.dense(bias)] : [])],
          params: [rowsOf(input), n, part.first, part.rows],
          workgroups: matrixWorkgroups(tile, rowsOf(input), part.rows),
        })
      }
      return y
    })
  }
  const variant = {
    name: 'matrices of float16',
    when: `from ${tuning.minRows} rows of float16 on, K a multiple of 32, even N, subgroup matrices`,
    fits,
    run,
  }
  return [kernel(linear, [variant, ...linearKernel.variants] as never)]
}

const rowsOf = ({ numel, shape }: Tensor): number => numel / (shape.at(-1) as number)
