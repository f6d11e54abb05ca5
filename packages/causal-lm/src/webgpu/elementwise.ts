/** @file Ops around the layers of a decoder: rescale, append, addPositions, clampedGate, shortConv. */

import {
  add,
  asDense,
  cast,
  isFloatDType,
  itemSize,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  kernel,
  numbersWgsl,
  onMeta,
  storedWgsl,
  wgsl,
  type Kernel,
} from '@ao/kernels-webgpu'
import { addPositions } from '../ops/add-positions.ts'
import { append } from '../ops/append.ts'
import { clampedGate } from '../ops/clamped-gate.ts'
import { positionOf } from '../ops/position.ts'
import { checkRescale, rescale } from '../ops/rescale.ts'
import { checkConv, shortConv } from '../ops/short-conv.ts'
import addPositionsSource from './add-positions.wgsl'
import appendSource from './append.wgsl'
import clampedGateSource from './clamped-gate.wgsl'
import rescaleSource from './rescale.wgsl'
import shortConvSource from './short-conv.wgsl'

const floats = numbersWgsl + storedWgsl
const rescaleProgram = /* @__PURE__ */ wgsl('rescale', floats + rescaleSource)
const addPositionsProgram = /* @__PURE__ */ wgsl('addPositions', floats + addPositionsSource)
const clampedGateProgram = /* @__PURE__ */ wgsl('clampedGate', floats + clampedGateSource)
const shortConvProgram = /* @__PURE__ */ wgsl('shortConv', floats + shortConvSource)
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

export const addPositionsKernel: Kernel = /* @__PURE__ */ kernel(addPositions, [
  {
    name: 'four elements a thread',
    when: 'both have one floating dtype, rows a multiple of 4 elements',
    fits: (_gpu, x, table) =>
      isFloatDType(x.dtype) && x.dtype === table.dtype && (x.shape[1] ?? 0) % 4 === 0,
    run: (gpu, x, table, start) => {
      onMeta(addPositions, x, table, start)
      return gpu.scope(() => {
        const y = gpu.empty(x.shape, x.dtype)
        gpu.dispatch(addPositionsProgram({ X: x.dtype }), {
          bind: [gpu.dense(x), gpu.dense(table), y],
          params: [x.numel / 4, (x.shape[1] as number) / 4, start],
          workgroups: grid(Math.ceil(x.numel / 256)),
        })
        return y
      })
    },
  },
  {
    name: 'sum of rows',
    when: 'the position is a number: a counted one would stay the same when a step is replayed',
    fits: (_gpu, _x, _table, start) => typeof start === 'number',
    run: (_gpu, x, table, start) => {
      onMeta(addPositions, x, table, start)
      return add(x, table.narrow(0, positionOf(start), x.shape[0] as number))
    },
  },
])

export const clampedGateKernel: Kernel = /* @__PURE__ */ kernel(clampedGate, [
  {
    name: 'four results a thread',
    when: 'gates and ups are float32, float16 or bfloat16',
    fits: (_gpu, gateUp) => isFloatDType(gateUp.dtype),
    run: (gpu, gateUp, options) => {
      const { shape } = onMeta(clampedGate, gateUp, options)
      return gpu.scope(() => {
        const y = gpu.empty(shape, gateUp.dtype)
        gpu.dispatch(clampedGateProgram({ X: gateUp.dtype }), {
          bind: [gpu.dense(gateUp), y],
          params: [y.numel, { f32: options.limit }, { f32: options.alpha }],
          workgroups: grid(Math.ceil(y.numel / 256)),
        })
        return y
      })
    },
  },
])

export const shortConvKernel: Kernel = /* @__PURE__ */ kernel(shortConv, [
  {
    name: 'a result a thread',
    when: 'history is float32, float16 or bfloat16',
    fits: (_gpu, history) => isFloatDType(history.dtype),
    run: (gpu, history, weight, bias, end, tokens) => {
      const { channels, taps } = checkConv(history, weight, bias, end, tokens)
      return gpu.scope(() => {
        const float32 = (tensor: Tensor): DenseTensor => gpu.dense(cast(tensor, 'float32'))
        const y = gpu.empty([tokens, channels], 'float32')
        const sizes = { CHANNELS: channels, TAPS: taps, ...(bias && { BIAS: true }) }
        gpu.dispatch(shortConvProgram({ X: history.dtype, ...sizes }), {
          bind: [gpu.dense(history), float32(weight), y, ...(bias ? [float32(bias)] : [])],
          params: [tokens, end],
          workgroups: grid(Math.ceil((tokens * channels) / 64)),
        })
        return cast(y, history.dtype)
      })
    },
  },
])
