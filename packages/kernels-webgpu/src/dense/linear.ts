/**
 * @file Matrix products: linear, matmul and bmm. Weights are read as they are stored, and never held in
 * float32 as a whole.
 */

import {
  add,
  asDense,
  bmm,
  cast,
  isFloatDType,
  itemSize,
  linear,
  linearShape,
  matmul,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { floatOutput, storedFloat, storedOutput } from '../floats.ts'
import { grid, kernel, type GPU, type Kernel } from '../kernel.ts'
import { wgsl } from '../program.ts'
import { rowParts } from '../row-parts.ts'
import numbers from '../wgsl/numbers.wgsl'
import stored from '../wgsl/stored.wgsl'
import gemmSource from './gemm.wgsl'
import gemvSource from './gemv.wgsl'
import { onMeta } from '../on-meta.ts'

/** Sizes to tune. */
export const LINEAR_TUNING: {
  readonly gemv: { threads: number; rows: number; maxInputs: number }
} = {
  /** `rows` of the weight for each workgroup, a multiple of 4; up to `maxInputs` rows of the input. */
  gemv: { threads: 64, rows: 4, maxInputs: 8 },
}

const gemvProgram = /* @__PURE__ */ wgsl('linear gemv', numbers + stored + gemvSource)
const gemmProgram = /* @__PURE__ */ wgsl('gemm', numbers + stored + gemmSource)

type LinearArgs = [input: Tensor, weight: Tensor, bias?: Tensor | undefined]

const areFloats = (...tensors: (Tensor | undefined)[]): boolean =>
  tensors.every((tensor) => tensor === undefined || isFloatDType(tensor.dtype))

const rowsOf = ({ numel, shape }: Tensor): number => numel / (shape.at(-1) as number)

const fitsGemv = (_gpu: GPU, input: Tensor, weight: Tensor, bias?: Tensor): boolean =>
  areFloats(input, weight, bias) &&
  rowsOf(input) <= LINEAR_TUNING.gemv.maxInputs &&
  ((weight.shape[1] as number) * itemSize(weight.dtype)) % 16 === 0

export const linearKernel: Kernel = /* @__PURE__ */ kernel(linear, [
  {
    name: 'bias alone',
    when: 'K is 0',
    fits: (_gpu: GPU, ...[, weight]: LinearArgs) => weight.shape[1] === 0,
    run: (gpu: GPU, ...[input, weight, bias]: LinearArgs) => {
      checkBias(input, weight, bias)
      const sums = zeros(linearShape(input, weight), input.dtype, input.device)
      return bias ? gpu.scope(() => cast(add(sums, bias), input.dtype)) : sums
    },
  },
  {
    name: 'gemv, subgroups',
    when: 'up to 8 rows, K in whole 16 bytes, on GPUs with subgroups',
    fits: (gpu, ...args) => gpu.capabilities.subgroups && fitsGemv(gpu, ...args),
    run: (gpu, ...args) => gemv(gpu, args, true),
  },
  {
    name: 'gemv',
    when: 'up to 8 rows, K in whole 16 bytes',
    fits: fitsGemv,
    run: (gpu, ...args) => gemv(gpu, args, false),
  },
  {
    name: 'gemm 64 x 64',
    when: 'K is a multiple of 4',
    fits: (_gpu, input, weight, bias) =>
      areFloats(input, weight, bias) && (weight.shape[1] as number) % 4 === 0,
    run: (gpu, ...args) => gemm(gpu, args, true),
  },
  {
    name: 'gemm 64 x 64, single elements',
    when: 'input and weight are float32, float16 or bfloat16',
    fits: (_gpu, ...args) => areFloats(...args),
    run: (gpu, ...args) => gemm(gpu, args, false),
  },
])

function gemv(gpu: GPU, [input, weight, bias]: LinearArgs, subgroups: boolean): Tensor {
  const shape = linearShape(input, weight)
  checkBias(input, weight, bias)
  return gpu.scope(() => {
    const { threads, rows } = LINEAR_TUNING.gemv
    const [n, k] = weight.shape as [number, number]
    const m = rowsOf(input)
    const quads = itemSize(weight.dtype) === 4 ? 1 : 2
    const x = storedFloat(gpu, input)
    const w = gpu.dense(weight)
    const b = bias && [gpu.dense(bias)]
    return storedOutput(gpu, shape, input.dtype as FloatDType, n % 4 === 0, (y) => {
      const program = gemvProgram({
        X: x.dtype,
        W: w.dtype,
        Y: y.dtype,
        BIAS: bias?.dtype ?? false,
        M: 2 ** Math.ceil(Math.log2(m)),
        ROWS: rows,
        THREADS: threads,
        CHUNKS: k / (4 * quads),
        QUADS: quads,
        SUBGROUPS: subgroups,
      })
      for (const part of rowParts(gpu, w, rows)) {
        gpu.dispatch(program, {
          bind: [x, part.range, y, ...(b ?? [])],
          params: [m, n, part.first, part.rows],
          workgroups: grid(Math.ceil(part.rows / rows)),
        })
      }
    })
  })
}

function gemm(gpu: GPU, [input, weight, bias]: LinearArgs, vectors: boolean): Tensor {
  const shape = linearShape(input, weight)
  checkBias(input, weight, bias)
  return gpu.scope(() => {
    const [n, k] = weight.shape as [number, number]
    const m = rowsOf(input)
    const x = storedFloat(gpu, input)
    const w = gpu.dense(weight)
    const b = bias && [gpu.dense(bias)]
    return floatOutput(gpu, shape, input.dtype as FloatDType, (y) => {
      const program = gemmProgram({
        A: x.dtype,
        B: w.dtype,
        Y: y.dtype === 'float32' ? 'f32' : 'f16',
        BIAS: bias?.dtype ?? false,
        VECTORS: vectors,
        TRANSPOSED: true,
      })
      for (const part of rowParts(gpu, w, 64)) {
        gpu.dispatch(program, {
          bind: [x, part.range, y, ...(b ?? [])],
          params: [m, n, k, part.first, part.rows],
          workgroups: [Math.ceil(part.rows / 64), Math.ceil(m / 64)],
        })
      }
    })
  })
}

// The meta function is what refuses a bias that does not fit.
function checkBias(input: Tensor, weight: Tensor, bias: Tensor | undefined): void {
  if (bias && bias.numel !== weight.shape[0]) onMeta(linear, input, weight, bias)
}

export const matmulKernel: Kernel = /* @__PURE__ */ kernel(matmul, [
  {
    name: 'gemm 64 x 64, single elements',
    when: 'both are float32, float16 or bfloat16',
    fits: (_gpu, a, b) => areFloats(a, b),
    run: (gpu, a, b) => product(gpu, onMeta(matmul, a, b), a, b, 1),
  },
])

export const bmmKernel: Kernel = /* @__PURE__ */ kernel(bmm, [
  {
    name: 'gemm 64 x 64, single elements',
    when: 'both are float32, float16 or bfloat16',
    fits: (_gpu, a, b) => areFloats(a, b),
    run: (gpu, a, b) => product(gpu, onMeta(bmm, a, b), a, b, a.shape[0] as number),
  },
])

/** `a @ b` for each of `batch` pairs, in the shape and dtype of `result`. */
function product(gpu: GPU, result: Tensor, a: Tensor, b: Tensor, batch: number): Tensor {
  const [m, n] = result.shape.slice(-2) as [number, number]
  const k = a.shape.at(-1) as number
  return gpu.scope(() => {
    const [left, right] = [storedFloat(gpu, a), rightSide(gpu, b, batch)]
    return floatOutput(gpu, result.shape, result.dtype as FloatDType, (y) => {
      gpu.dispatch(
        gemmProgram({
          A: left.dtype,
          B: right.tensor.dtype,
          Y: y.dtype === 'float32' ? 'f32' : 'f16',
          BIAS: false,
          VECTORS: false,
          TRANSPOSED: right.isTransposed,
        }),
        {
          bind: [left, right.tensor, y],
          params: [m, n, k, 0, n],
          workgroups: [Math.ceil(n / 64), Math.ceil(m / 64), batch],
        },
      )
    })
  })
}

/** `b`, or what it is a transposed view of. */
function rightSide(
  gpu: GPU,
  b: Tensor,
  batch: number,
): { readonly tensor: DenseTensor; readonly isTransposed: boolean } {
  const turned = asDense(b).transpose(-2, -1)
  const isTransposed = batch === 1 && turned.isContiguous && !asDense(b).isContiguous
  return { tensor: storedFloat(gpu, isTransposed ? turned : b), isTransposed }
}
