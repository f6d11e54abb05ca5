/** @file Products with int4 weights: the variants of a format's `linear` op. */

import {
  cast,
  isFloatDType,
  itemSize,
  zeros,
  type DenseTensor,
  type FloatDType,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import type { Defines, GPU, Variant } from '@ao/kernels-webgpu'
import { bindParts, rangeOf, rowRanges } from './bindings.ts'
import { roundRowsToFloat8 } from './float8.ts'
import { weightDefines, type Int4Programs } from './layout.ts'
import { int4Tuning, type Int4TuningOptions } from './tuning.ts'
import { linearWays, rowsOf, type Int4Product, type Way } from './ways.ts'

const ROUNDING = { float32: false, float16: 'round_f16', bfloat16: 'round_bf16' } as const
const BITS = { float32: '', float16: 'f16_bits', bfloat16: 'bf16_bits' } as const

/**
 * The variants of an op that multiplies with weights of one layout, best first.
 *
 * @param productOf - what an op's arguments ask for
 */
/* @__NO_SIDE_EFFECTS__ */
export function int4LinearVariants<Args extends readonly unknown[]>(
  programs: Int4Programs,
  productOf: (...args: Args) => Int4Product,
  options?: Int4TuningOptions,
): Variant<Args, Tensor>[] {
  return linearWays(programs, int4Tuning(options)).map((way) => ({
    name: way.name,
    when: way.when,
    fits: (gpu, ...args) => {
      const product = productOf(...args)
      return isBindable(gpu, product) && way.fits(gpu, product)
    },
    run: (gpu, ...args) => gpu.scope(() => multiply(gpu, programs, productOf(...args), way)),
  }))
}

function isBindable(gpu: GPU, { x, bias, weight }: Int4Product): boolean {
  const { codes: _codes, ...others } = weight.parts
  return (
    isFloatDType(x.dtype) &&
    (!bias || isFloatDType(bias.dtype)) &&
    Object.values(others).every((part) => !part || part.nbytes <= gpu.capabilities.maxBindingSize)
  )
}

function multiply(gpu: GPU, programs: Int4Programs, product: Int4Product, way: Way): Tensor {
  const { x, weight, bias, inputDtype } = product
  const shape = [...x.shape.slice(0, -1), weight.n]
  const computed = inputDtype === 'bfloat16' ? 'bfloat16' : (x.dtype as FloatDType)
  // Two numbers of 16 bits share a word, which only one thread may write.
  const y = gpu.empty(shape, weight.n % 2 === 0 ? computed : 'float32')
  const rounded: Int4Product = {
    ...product,
    x: inputDtype === 'float8_e4m3fn' ? roundRowsToFloat8(gpu, x) : as(x, computed),
    bias: bias && inputDtype === 'bfloat16' ? as(bias, computed) : bias,
  }
  dispatchParts(gpu, programs, rounded, way, y, computed)
  return as(as(y, computed), x.dtype)
}

const as = (tensor: Tensor, dtype: StoredDType): Tensor =>
  tensor.dtype === dtype ? tensor : cast(tensor, dtype)

function dispatchParts(
  gpu: GPU,
  programs: Int4Programs,
  product: Int4Product,
  way: Way,
  y: DenseTensor,
  dtype: FloatDType,
): void {
  const { weight, bias, roundsBeforeBias = true } = product
  const x = gpu.dense(wholePieces(product.x, weight.groupSize % 32 === 0))
  const codes = gpu.dense(weight.parts.codes)
  const bindings = bindParts(gpu, { ...weight.parts, codes })
    .add('x', x)
    .add('bias', bias && gpu.dense(bias))
    .add('y', y)
  const defines: Defines = {
    ...weightDefines(programs, weight),
    ...bindings.defines,
    X_BINDING: bindings.defines['x_BINDING'] as number,
    X_DTYPE: x.dtype,
    Y_BINDING: bindings.defines['y_BINDING'] as number,
    Y_DTYPE: y.dtype,
    Y_BITS: BITS[y.dtype as FloatDType],
    ROUND: roundsBeforeBias && ROUNDING[dtype],
  }
  const plan = way.plan(gpu, product)
  const program = plan.program({ ...defines, ...plan.defines })
  const [xBytes, yBytes] = [x, y].map(rowBytesOf) as [number, number]
  for (const inputs of rowRanges(gpu, rowsOf(x), [xBytes, yBytes])) {
    for (const part of rowRanges(gpu, codes.nbytes / weight.rowBytes, [weight.rowBytes])) {
      const rows = Math.min(part.rows, weight.n - part.first)
      if (rows <= 0) break // padding
      gpu.dispatch(program, {
        bind: bindings.bind({
          codes: rangeOf(codes, part, weight.rowBytes),
          x: rangeOf(x, inputs, xBytes),
          y: rangeOf(y, inputs, yBytes),
        }),
        params: [part.first, rows, inputs.rows, 0],
        workgroups: plan.workgroups(rows, inputs.rows),
      })
    }
  }
}

const rowBytesOf = ({ shape, dtype }: DenseTensor): number =>
  (shape.at(-1) as number) * itemSize(dtype)

/** `x` with zeros after each row, where pieces of 32 do not divide it. */
function wholePieces(x: Tensor, hasPieces: boolean): Tensor {
  const k = x.shape.at(-1) as number
  if (!hasPieces || k % 32 === 0) return x
  const padded = zeros(x.shape.with(-1, Math.ceil(k / 32) * 32), x.dtype, x.device)
  padded.narrow(-1, 0, k).copy_(x)
  return padded
}
