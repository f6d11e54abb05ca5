/** @file Scales of int4 groups as float8, on the GPU. */

import { itemSize, type Tensor } from '@ao/base-tensor'
import { grid, kernel, wgsl, type GPU, type Kernel, type ProgramMaker } from '@ao/kernels-webgpu'
import { arithmeticWgsl } from '@ao/quant-primitives/webgpu'
import { float8Scales, type Float8Scales } from '../int4/float8-scales.ts'
import source from './wgsl/float8-scales.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl('float8 scales', arithmeticWgsl + source)

/**
 * Scales as float8.
 *
 * @remarks Zero points other than 0 make the scale of their row NaN: the GPU cannot throw.
 */
export const float8ScalesKernel: Kernel = /* @__PURE__ */ kernel(float8Scales, [
  { name: 'peaks, then quotients', when: 'always', run },
])

function run(gpu: GPU, scale: Tensor, zeroPoint: Tensor | undefined): Float8Scales {
  const [groups, n] = scale.shape.slice(-2) as [number, number]
  const scales = gpu.dense(scale)
  const defines = { DTYPE: scale.dtype, SIZE: itemSize(scales.dtype) }
  const rowScale = gpu.empty(scale.shape.with(-2, 1), 'float32')
  gpu.dispatch(program({ ...defines, PEAKS: true, ZERO: zeroPoint !== undefined }), {
    bind: [scales, rowScale, ...(zeroPoint ? [gpu.dense(zeroPoint)] : [])],
    params: [rowScale.numel, groups, n],
    workgroups: grid(Math.ceil(rowScale.numel / 64)),
  })
  const groupScale = gpu.empty(scale.shape, 'float8_e4m3fn')
  gpu.dispatch(program(defines), {
    bind: [scales, rowScale, groupScale],
    params: [scale.numel, groups, n],
    workgroups: grid(Math.ceil(scale.numel / 256)),
  })
  return { groupScale, rowScale }
}
