/** @file Ops of mixtures of experts: routeTokens, combineExperts. */

import { cast, isFloatDType } from '@ao/base-tensor'
import {
  grid,
  kernel,
  numbersWgsl,
  onMeta,
  storedWgsl,
  wgsl,
  type Kernel,
} from '@ao/kernels-webgpu'
import { combineExperts } from '../ops/combine-experts.ts'
import { routeTokens } from '../ops/route-tokens.ts'
import combineExpertsSource from './combine-experts.wgsl'
import routeTokensSource from './route-tokens.wgsl'

const floats = numbersWgsl + storedWgsl
const routeTokensProgram = /* @__PURE__ */ wgsl('routeTokens', floats + routeTokensSource)
const combineExpertsProgram = /* @__PURE__ */ wgsl('combineExperts', floats + combineExpertsSource)

export const routeTokensKernel: Kernel = /* @__PURE__ */ kernel(routeTokens, [
  {
    name: 'a row a thread',
    when: 'logits are float32, float16 or bfloat16',
    fits: (_gpu, logits) => isFloatDType(logits.dtype),
    run: (gpu, logits, options) => {
      routeTokens.meta?.(logits, options) // refuses what does not fit
      return gpu.scope(() => {
        const [tokens, count] = logits.shape as [number, number]
        const { perToken, isNormalized } = options
        const ids = gpu.empty([tokens, perToken], 'int32')
        const weights = gpu.empty([tokens, perToken], 'float32')
        const all = gpu.empty([tokens, count], 'float32')
        const defines = {
          ...{ X: logits.dtype, COUNT: count, K: perToken },
          ...(isNormalized && { NORMALIZED: true }),
        }
        gpu.dispatch(routeTokensProgram(defines), {
          bind: [gpu.dense(logits), ids, weights, all],
          params: [tokens],
          workgroups: grid(Math.ceil(tokens / 64)),
        })
        return { ids, weights: cast(weights, logits.dtype), all: cast(all, logits.dtype) }
      })
    },
  },
])

export const combineExpertsKernel: Kernel = /* @__PURE__ */ kernel(combineExperts, [
  {
    name: 'four elements a thread',
    when: 'both are of floating dtypes, outputs a multiple of 4 elements',
    fits: (_gpu, outputs, weights) =>
      isFloatDType(outputs.dtype) &&
      isFloatDType(weights.dtype) &&
      (outputs.shape[2] ?? 0) % 4 === 0,
    run: (gpu, outputs, weights) => {
      const { shape } = onMeta(combineExperts, outputs, weights)
      return gpu.scope(() => {
        const [count, tokens, size] = outputs.shape as [number, number, number]
        const y = gpu.empty(shape, outputs.dtype)
        gpu.dispatch(combineExpertsProgram({ X: outputs.dtype, W: weights.dtype }), {
          bind: [gpu.dense(outputs), gpu.dense(weights), y],
          params: [count, tokens, size / 4],
          workgroups: grid(Math.ceil((tokens * size) / 256)),
        })
        return y
      })
    },
  },
])
