/** @file Norms and softmax: a workgroup for each row. */

import {
  cast,
  isFloatDType,
  normalizeDim,
  numelOf,
  promote,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  kernel,
  numbersWgsl,
  onMeta,
  reduceWgsl,
  storedFloat,
  storedOutput,
  storedWgsl,
  wgsl,
  type GPU,
  type Kernel,
} from '@ao/kernels-webgpu'
import { layerNorm, rmsNorm, softmax } from '../norms.ts'
import normSource from './norm.wgsl'
import softmaxSource from './softmax.wgsl'

/** Invocations of a workgroup, to tune. */
export const NORM_TUNING: { threads: number } = { threads: 256 }

const normProgram = /* @__PURE__ */ wgsl('norm', numbersWgsl + storedWgsl + reduceWgsl + normSource)
const softmaxProgram = /* @__PURE__ */ wgsl('softmax', reduceWgsl + softmaxSource)

interface Norm {
  readonly input: Tensor
  readonly size: number
  readonly weight: Tensor | undefined
  readonly bias: Tensor | undefined
  readonly eps: number
  /** What is added to the weight. */
  readonly offset?: number | undefined
  /** Whether the mean is taken off. */
  readonly isCentered: boolean
  /** What the normalised row is rounded to before it is scaled. */
  readonly round: FloatDType
  readonly dtype: FloatDType
}

function norm(gpu: GPU, { input, size, weight, bias, eps, ...norm }: Norm): Tensor {
  return gpu.scope(() => {
    const vectors = size % 4 === 0
    const x = vectors ? storedFloat(gpu, input) : gpu.dense(cast(input, 'float32'))
    const parts = [weight, bias].filter((part) => part !== undefined).map((part) => gpu.dense(part))
    const rows = x.numel / size
    return storedOutput(gpu, x.shape, norm.dtype, vectors, (y) => {
      const defines = {
        THREADS: NORM_TUNING.threads,
        SUBGROUPS: gpu.capabilities.subgroups,
        VECTORS: vectors,
        CENTERED: norm.isCentered,
        ROUND: norm.round,
        X: x.dtype,
        Y: y.dtype,
        WEIGHT: weight?.dtype ?? false,
        BIAS: bias?.dtype ?? false,
        ...(norm.offset !== undefined && { OFFSET: `f32(${norm.offset})` }),
      }
      gpu.dispatch(normProgram(defines), {
        bind: [x, y, ...parts],
        params: [rows, size, { f32: eps }],
        workgroups: grid(rows),
      })
    })
  })
}

const areFloats = (...tensors: (Tensor | undefined)[]): boolean =>
  tensors.every((tensor) => tensor === undefined || isFloatDType(tensor.dtype))

export const rmsNormKernel: Kernel = /* @__PURE__ */ kernel(rmsNorm, [
  {
    name: 'a workgroup a row',
    when: 'all are float32, float16 or bfloat16',
    fits: (_gpu, input, weight) => areFloats(input, weight),
    run: (gpu, input, weight, eps, { weightOffset: offset } = {}) => {
      if (input.shape.at(-1) !== weight.numel) onMeta(rmsNorm, input, weight, eps)
      const isOffset = offset !== undefined
      const dtype = (isOffset ? input.dtype : promote(input.dtype, weight.dtype)) as FloatDType
      const round = isOffset ? 'float32' : (input.dtype as FloatDType)
      const size = weight.numel
      return norm(gpu, {
        input,
        size,
        weight,
        bias: undefined,
        eps,
        offset,
        isCentered: false,
        round,
        dtype,
      })
    },
  },
])

export const layerNormKernel: Kernel = /* @__PURE__ */ kernel(layerNorm, [
  {
    name: 'a workgroup a row',
    when: 'all are float32, float16 or bfloat16; a bias comes with a weight',
    fits: (_gpu, input, _shape, weight, bias) =>
      areFloats(input, weight, bias) && (weight !== undefined || bias === undefined),
    run: (gpu, input, shape, weight, bias, eps = 1e-5) => {
      const dtype = onMeta(layerNorm, input, shape, weight, bias, eps).dtype as FloatDType
      const size = numelOf(shape)
      return norm(gpu, {
        input,
        size,
        weight,
        bias,
        eps,
        isCentered: true,
        round: 'float32',
        dtype,
      })
    },
  },
])

export const softmaxKernel: Kernel = /* @__PURE__ */ kernel(softmax, [
  {
    name: 'a workgroup a line',
    when: 'the input is float32, float16 or bfloat16',
    fits: (_gpu, input) => isFloatDType(input.dtype),
    run: (gpu, input, dim = -1) =>
      gpu.scope(() => {
        const d = normalizeDim(dim, input.ndim)
        const size = input.shape[d] as number
        const stride = numelOf(input.shape.slice(d + 1))
        const x = gpu.dense(cast(input, 'float32'))
        const y = gpu.empty(x.shape, 'float32')
        const lines = x.numel / size
        const defines = { THREADS: NORM_TUNING.threads, SUBGROUPS: gpu.capabilities.subgroups }
        gpu.dispatch(softmaxProgram(defines), {
          bind: [x, y],
          params: [lines, size, stride],
          workgroups: grid(lines),
        })
        return cast(y, input.dtype)
      }),
  },
])
