/** @file The ops between a layer's matrix products: addRmsNorm, siluMul, rope, ropeAppend. */

import { asDense, cast, isFloatDType, type DenseTensor, type Tensor } from '@ao/base-tensor'
import {
  grid,
  kernel,
  numbersWgsl,
  onMeta,
  reduceWgsl,
  storedWgsl,
  wgsl,
  type Kernel,
} from '@ao/kernels-webgpu'
import { addRmsNorm } from '../ops/add-rms-norm.ts'
import { ropeAppend } from '../ops/rope-append.ts'
import { rope } from '../ops/rope.ts'
import { siluMul } from '../ops/silu-mul.ts'
import addRmsNormSource from './add-rms-norm.wgsl'
import ropeAppendSource from './rope-append.wgsl'
import ropeSource from './rope.wgsl'
import siluMulSource from './silu-mul.wgsl'

const floats = numbersWgsl + storedWgsl
const addRmsNormProgram = /* @__PURE__ */ wgsl('addRmsNorm', floats + reduceWgsl + addRmsNormSource)
const siluMulProgram = /* @__PURE__ */ wgsl('siluMul', floats + siluMulSource)
const ropeProgram = /* @__PURE__ */ wgsl('rope', floats + ropeSource)
const ropeAppendProgram = /* @__PURE__ */ wgsl('ropeAppend', floats + ropeAppendSource)

/** Invocations of a workgroup, to tune. */
export const ADD_RMS_NORM_TUNING: { threads: number } = { threads: 256 }

/** Whether all have one floating dtype. */
function haveOneFloat(first: Tensor, ...others: readonly Tensor[]): boolean {
  return isFloatDType(first.dtype) && others.every(({ dtype }) => dtype === first.dtype)
}

export const addRmsNormKernel: Kernel = /* @__PURE__ */ kernel(addRmsNorm, [
  {
    name: 'a workgroup a row',
    when: 'all have one floating dtype, rows a multiple of 4 elements',
    fits: (_gpu, x, y, weight) =>
      haveOneFloat(x, y, weight) &&
      x.shape.join() === y.shape.join() &&
      x.shape.at(-1) === weight.numel &&
      weight.numel % 4 === 0,
    run: (gpu, x, y, weight, eps) =>
      gpu.scope(() => {
        const size = weight.numel
        const rows = x.numel / size
        const sum = gpu.empty(x.shape, x.dtype)
        const normed = gpu.empty(x.shape, x.dtype)
        const defines = {
          X: x.dtype,
          THREADS: ADD_RMS_NORM_TUNING.threads,
          SUBGROUPS: gpu.capabilities.subgroups,
          ...(rows === 1 && { ONE_ROW: true, SIZE: size, EPS: eps }),
        }
        gpu.dispatch(addRmsNormProgram(defines), {
          bind: [gpu.dense(x), gpu.dense(y), gpu.dense(weight), sum, normed],
          params: [rows, size, { f32: eps }],
          workgroups: grid(rows),
        })
        return [sum, normed] as const
      }),
  },
  {
    name: 'add, then rmsNorm',
    when: 'always',
    run: (_gpu, ...args) => addRmsNorm.reference(...args),
  },
])

export const siluMulKernel: Kernel = /* @__PURE__ */ kernel(siluMul, [
  {
    name: 'four elements a thread',
    when: 'both have one shape and one floating dtype',
    fits: (_gpu, gate, up) => haveOneFloat(gate, up),
    run: (gpu, gate, up) => {
      if (gate.shape.join() !== up.shape.join()) onMeta(siluMul, gate, up)
      return gpu.scope(() => {
        const y = gpu.empty(gate.shape, gate.dtype)
        const isRow = gate.shape.at(-1) === gate.numel
        const row = isRow && { ONE_ROW: true, SIZE: gate.numel }
        gpu.dispatch(siluMulProgram({ X: gate.dtype, ...row }), {
          bind: [gpu.dense(gate), gpu.dense(up), y],
          params: [gate.numel],
          workgroups: grid(Math.ceil(gate.numel / 256)),
        })
        return y
      })
    },
  },
])

export const ropeKernel: Kernel = /* @__PURE__ */ kernel(rope, [
  {
    name: 'a pair a thread',
    when: 'x is float32, float16 or bfloat16',
    fits: (_gpu, x) => isFloatDType(x.dtype),
    run: (gpu, x, cos, sin, start) => {
      onMeta(rope, x, cos, sin, start)
      return gpu.scope(() => {
        const [, heads, headDim] = x.shape as [number, number, number]
        const float32 = (tensor: Tensor): DenseTensor => gpu.dense(cast(tensor, 'float32'))
        const y = gpu.empty(x.shape, 'float32')
        gpu.dispatch(ropeProgram({ ROUND: x.dtype }), {
          bind: [...[x, cos, sin].map(float32), y],
          params: [x.numel / 2, heads, headDim / 2, start],
          workgroups: grid(Math.ceil(x.numel / 128)),
        })
        return cast(y, x.dtype)
      })
    },
  },
])

export const ropeAppendKernel: Kernel = /* @__PURE__ */ kernel(ropeAppend, [
  {
    name: 'in one',
    when: 'all have one floating dtype, heads a multiple of 8 elements',
    fits: (_gpu, q, ...others) =>
      haveOneFloat(q, ...(others.slice(0, -1) as Tensor[])) && (q.shape[2] as number) % 8 === 0,
    run: (gpu, q, k, v, cos, sin, keys, values, start) =>
      gpu.scope(() => {
        const [tokens, heads, headDim] = q.shape as [number, number, number]
        const groups = k.shape[1] as number
        const half = headDim / 8
        const rotated = gpu.empty(q.shape, q.dtype)
        const program = ropeAppendProgram({ X: q.dtype, HEADS: heads, GROUPS: groups, HALF: half })
        gpu.dispatch(program, {
          bind: [
            ...[gpu.dense(q), gpu.dense(k), gpu.dense(v), gpu.dense(cos), gpu.dense(sin)],
            ...[rotated, asDense(keys), asDense(values)],
          ],
          params: [tokens, start],
          workgroups: grid(Math.ceil((tokens * (heads + 2 * groups) * half) / 64)),
        })
        return rotated
      }),
  },
  {
    name: 'rope, then copy',
    when: 'always',
    run: (_gpu, ...args) => ropeAppend.reference(...args),
  },
])
