/** @file Ops around the layers of a decoder: rescale, append. */

import { asDense, isFloatDType, itemSize, type Tensor } from '@ao/base-tensor'
import { grid, kernel, numbersWgsl, storedWgsl, wgsl, type Kernel } from '@ao/kernels-webgpu'
import { append } from '../ops/append.ts'
import { checkRescale, rescale } from '../ops/rescale.ts'
import appendSource from './append.wgsl'
import rescaleSource from './rescale.wgsl'

const rescaleProgram = /* @__PURE__ */ wgsl('rescale', numbersWgsl + storedWgsl + rescaleSource)
const appendProgram = /* @__PURE__ */ wgsl('append', appendSource)

export const rescaleKernel: Kernel = /* @__PURE__ */ kernel(rescale, [
  {
    name: 'four elements a thread',
    when: 'x is float32, float16 or bfloat16',
    fits: (_gpu, x) => isFloatDType(x.dtype),
    run: (gpu, x, options) => {
      const { factor, softcap } = checkRescale(x, options)
      return gpu.scope(() => {
        const y = gpu.empty(x.shape, x.dtype)
        const cap = softcap !== undefined && { SOFTCAP: `f32(${softcap})` }
        gpu.dispatch(rescaleProgram({ X: x.dtype, ...cap }), {
          bind: [gpu.dense(x), y],
          params: [x.numel, { f32: factor }],
          workgroups: grid(Math.ceil(x.numel / 256)),
        })
        return y
      })
    },
  },
])

const bytesOfRow = (rows: Tensor): number =>
  rows.shape.slice(1).reduce((size, count) => size * count, itemSize(rows.dtype))

export const appendKernel: Kernel = /* @__PURE__ */ kernel(append, [
  {
    name: 'a word a thread',
    when: 'rows are a multiple of 4 bytes, the buffer is a whole one',
    fits: (_gpu, rows, buffer) =>
      bytesOfRow(rows) % 4 === 0 && asDense(buffer).isContiguous && asDense(buffer).offset === 0,
    run: (gpu, rows, buffer, start) => {
      append.meta?.(rows, buffer, start) // refuses what does not fit
      gpu.scope(() => {
        const width = bytesOfRow(rows) / 4
        const words = width * (rows.shape[0] as number)
        gpu.dispatch(appendProgram({}), {
          bind: [gpu.dense(rows), asDense(buffer)],
          params: [words, width, start],
          workgroups: grid(Math.ceil(words / 64)),
        })
      })
    },
  },
  {
    name: 'copy',
    when: 'the position is a number: a counted one would stay the same when a step is replayed',
    fits: (_gpu, _rows, _buffer, start) => typeof start === 'number',
    run: (_gpu, ...args) => append.reference(...args),
  },
])
