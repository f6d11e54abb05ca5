/** @file The ops between a layer's matrix products: addRmsNorm, gatedActivation, rope, ropeAppend. */

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
import { gatedActivation } from '../ops/gated-activation.ts'
import { valueOf } from '../ops/position.ts'
import { ropeAppend, type RopeAppendArgs } from '../ops/rope-append.ts'
import { ropePairs, type RopePairs } from '../ops/rope-options.ts'
import { rope } from '../ops/rope.ts'
import addRmsNormSource from './add-rms-norm.wgsl'
import gatedActivationSource from './gated-activation.wgsl'
import ropeAppendGenericSource from './rope-append-generic.wgsl'
import ropeAppendSource from './rope-append.wgsl'
import ropeSource from './rope.wgsl'

const floats = numbersWgsl + storedWgsl
const addRmsNormProgram = /* @__PURE__ */ wgsl('addRmsNorm', floats + reduceWgsl + addRmsNormSource)
const gatedActivationProgram = /* @__PURE__ */ wgsl(
  'gatedActivation',
  floats + gatedActivationSource,
)
const ropeProgram = /* @__PURE__ */ wgsl('rope', floats + ropeSource)
const ropeAppendProgram = /* @__PURE__ */ wgsl('ropeAppend', floats + ropeAppendSource)
const ropeAppendGenericProgram = /* @__PURE__ */ wgsl(
  'ropeAppend, generic',
  floats + ropeAppendGenericSource,
)

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
    run: (gpu, x, y, weight, eps, { weightOffset } = {}) =>
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
          ...(weightOffset !== undefined && { OFFSET: `f32(${weightOffset})` }),
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

export const gatedActivationKernel: Kernel = /* @__PURE__ */ kernel(gatedActivation, [
  {
    name: 'four elements a thread',
    when: 'both have one shape and one floating dtype',
    fits: (_gpu, gate, up) => haveOneFloat(gate, up),
    run: (gpu, gate, up, activation) => {
      onMeta(gatedActivation, gate, up, activation)
      return gpu.scope(() => {
        const y = gpu.empty(gate.shape, gate.dtype)
        const isRow = gate.shape.at(-1) === gate.numel
        const row = isRow && { ONE_ROW: true, SIZE: gate.numel }
        const defines = { X: gate.dtype, ACTIVATION: activation, ...row }
        gpu.dispatch(gatedActivationProgram(defines), {
          bind: [gpu.dense(gate), gpu.dense(up), y],
          params: [gate.numel],
          workgroups: grid(Math.ceil(gate.numel / 256)),
        })
        return y
      })
    },
  },
])

/** Whether the elements of both halves of a head turn together, all of them. */
const isHalves = ({ count, apart }: RopePairs, headDim: number): boolean =>
  2 * count === headDim && apart === count

const pairDefines = ({ step, apart }: RopePairs): Record<string, number> => ({
  STEP: step,
  APART: apart,
})

const headDimOf = ([q]: RopeAppendArgs): number => q.shape[2] ?? 0

const areOneFloat = (args: RopeAppendArgs): boolean =>
  haveOneFloat(...(args.slice(0, 7) as [Tensor, ...Tensor[]]))

const pairsOf = ([q, , , cos, sin, , , start, options]: RopeAppendArgs): RopePairs =>
  ropePairs(q, cos, sin, valueOf(start), options)

export const ropeKernel: Kernel = /* @__PURE__ */ kernel(rope, [
  {
    name: 'a pair a thread',
    when: 'x is float32, float16 or bfloat16',
    fits: (_gpu, x) => isFloatDType(x.dtype),
    run: (gpu, x, cos, sin, start, options) => {
      const pairs = ropePairs(x, cos, sin, start, options)
      return gpu.scope(() => {
        const [tokens, heads, headDim] = x.shape as [number, number, number]
        const float32 = (tensor: Tensor): DenseTensor => gpu.dense(cast(tensor, 'float32'))
        const isWhole = 2 * pairs.count === headDim
        const from = float32(x)
        const y = isWhole ? gpu.empty(x.shape, 'float32') : from.clone()
        const count = tokens * heads * pairs.count
        const defines = isHalves(pairs, headDim) ? {} : { WIDTH: headDim, ...pairDefines(pairs) }
        gpu.dispatch(ropeProgram({ ROUND: x.dtype, ...defines }), {
          bind: [from, float32(cos), float32(sin), y],
          params: [count, heads, pairs.count, start],
          workgroups: grid(Math.ceil(count / 64)),
        })
        return cast(y, x.dtype)
      })
    },
  },
])

export const ropeAppendKernel: Kernel = /* @__PURE__ */ kernel(ropeAppend, [
  {
    name: 'in one',
    when: 'all have one floating dtype, heads a multiple of 8 elements, which all turn with those of the other half',
    fits: (_gpu, ...args) =>
      areOneFloat(args) && headDimOf(args) % 8 === 0 && isHalves(pairsOf(args), headDimOf(args)),
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
    name: 'in one, any pairs',
    when: 'all have one floating dtype, heads a multiple of 4 elements',
    fits: (_gpu, ...args) => areOneFloat(args) && headDimOf(args) % 4 === 0,
    run: (gpu, ...args) =>
      gpu.scope(() => {
        const [q, k, v, cos, sin, keys, values, start] = args
        const pairs = pairsOf(args)
        const [tokens, heads, headDim] = q.shape as [number, number, number]
        const groups = k.shape[1] as number
        const quads = headDim / 4
        const rotated = gpu.empty(q.shape, q.dtype)
        const sizes = { HEADS: heads, GROUPS: groups, QUADS: quads, PAIRS: pairs.count }
        gpu.dispatch(ropeAppendGenericProgram({ X: q.dtype, ...sizes, ...pairDefines(pairs) }), {
          bind: [
            ...[gpu.dense(q), gpu.dense(k), gpu.dense(v), gpu.dense(cos), gpu.dense(sin)],
            ...[rotated, asDense(keys), asDense(values)],
          ],
          params: [tokens, start],
          workgroups: grid(Math.ceil((tokens * (heads + 2 * groups) * quads) / 64)),
        })
        return rotated
      }),
  },
  {
    name: 'rope, then copy',
    when: 'the position is a number: a counted one would stay the same when a step is replayed',
    fits: (_gpu, ...args) => typeof args[7] === 'number',
    run: (_gpu, ...args) => ropeAppend.reference(...args),
  },
])
