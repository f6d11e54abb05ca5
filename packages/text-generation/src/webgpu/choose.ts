/** @file What is read from logits: the best tokens, and how well a text was predicted. */

import { isFloatDType, type Tensor } from '@ao/base-tensor'
import {
  grid,
  kernel,
  numbersWgsl,
  onMeta,
  reduceWgsl,
  storedFloat,
  storedWgsl,
  wgsl,
  type GPU,
  type Kernel,
} from '@ao/kernels-webgpu'
import { argmaxTokens, topKTokens } from '../ops/choose.ts'
import { tokenNll } from '../ops/token-nll.ts'
import argmaxSource from './argmax.wgsl'
import rankSource from './rank.wgsl'
import tokenNllSource from './token-nll.wgsl'
import topKSource from './top-k.wgsl'

const floats = numbersWgsl + storedWgsl
const argmaxProgram = /* @__PURE__ */ wgsl('argmax', floats + rankSource + argmaxSource)
const topKProgram = /* @__PURE__ */ wgsl('topK', floats + rankSource + topKSource)
const tokenNllProgram = /* @__PURE__ */ wgsl('tokenNll', floats + reduceWgsl + tokenNllSource)

/** Sizes to tune: logits of a workgroup of argmax; invocations of a workgroup of tokenNll. */
export const CHOOSE_TUNING: { argmaxPart: number; nllThreads: number } = {
  argmaxPart: 4096,
  nllThreads: 256,
}

export const argmaxKernel: Kernel = /* @__PURE__ */ kernel(argmaxTokens, [
  {
    name: 'parts, then the best of them',
    when: 'logits are float32, float16 or bfloat16',
    fits: (_gpu, logits) => isFloatDType(logits.dtype),
    run: (gpu, logits) => {
      const { shape } = onMeta(argmaxTokens, logits)
      return gpu.scope(() => {
        const [rows, vocabulary] = logits.shape as [number, number]
        const part = CHOOSE_TUNING.argmaxPart
        const parts = Math.ceil(vocabulary / part)
        const source = storedFloat(gpu, logits)
        const best = gpu.empty([rows, parts, 2], 'int32')
        const ids = gpu.empty(shape, 'int32')
        gpu.dispatch(argmaxProgram({ FIRST: true, X: source.dtype }), {
          bind: [source, best],
          params: [vocabulary, part],
          workgroups: [parts, rows],
        })
        gpu.dispatch(argmaxProgram({ FIRST: false, X: source.dtype }), {
          bind: [best, ids],
          params: [parts, 0],
          workgroups: [1, rows],
        })
        return ids
      })
    },
  },
])

/** How many tokens topK can keep: their ids are held in shared memory. */
export const MAX_TOP_K = 1024

export const topKKernel: Kernel = /* @__PURE__ */ kernel(topKTokens, [
  {
    name: 'radix select',
    when: `logits are float32, float16 or bfloat16, k at most ${MAX_TOP_K}`,
    fits: (_gpu, logits, k) => isFloatDType(logits.dtype) && k <= MAX_TOP_K,
    run: (gpu: GPU, logits: Tensor, k: number): Tensor => {
      const { shape } = onMeta(topKTokens, logits, k)
      return gpu.scope(() => {
        const source = storedFloat(gpu, logits)
        const chosen = gpu.empty(shape, 'float32')
        const threads = gpu.capabilities.maxInvocations >= 1024 ? 1024 : 256
        const program = topKProgram({ X: source.dtype, THREADS: threads, MAX_K: MAX_TOP_K })
        const params = [source.numel, k]
        gpu.dispatch(program, { bind: [source, chosen], params, workgroups: [1] })
        return chosen
      })
    },
  },
])

export const tokenNllKernel: Kernel = /* @__PURE__ */ kernel(tokenNll, [
  {
    name: 'a workgroup a row',
    when: 'logits are float32, float16 or bfloat16, targets int32',
    fits: (_gpu, logits, targets) => isFloatDType(logits.dtype) && targets.dtype === 'int32',
    run: (gpu, logits, targets) => {
      const { shape } = onMeta(tokenNll, logits, targets)
      return gpu.scope(() => {
        const [rows, vocabulary] = logits.shape as [number, number]
        const source = storedFloat(gpu, logits)
        const out = gpu.empty(shape, 'float32')
        const defines = {
          X: source.dtype,
          THREADS: CHOOSE_TUNING.nllThreads,
          SUBGROUPS: gpu.capabilities.subgroups,
        }
        gpu.dispatch(tokenNllProgram(defines), {
          bind: [source, gpu.dense(targets), out],
          params: [rows, vocabulary],
          workgroups: grid(rows),
        })
        return out
      })
    },
  },
])
