/** @file Products of int8 inputs as products of floats: for what is not summed as integers. */

import {
  cast,
  isFloatDType,
  numelOf,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import {
  grid,
  numbersWgsl,
  wgsl,
  type GPU,
  type ProgramMaker,
  type Variant,
} from '@ao/kernels-webgpu'
import type { Int8Call, Int8Input } from './int8-linear.ts'
import { rowRanges } from './row-ranges.ts'
import type { LinearProduct } from './variants.ts'
import source from './wgsl/int8-dequantize-input.wgsl'

const program: ProgramMaker = /* @__PURE__ */ wgsl('int8 input as floats', numbersWgsl + source)

/**
 * What the codes of an input stand for, (..., K): in float16, as the reference has it, for an input of float16,
 * which some kernels are made for; else in float32.
 */
function dequantizeInput(
  gpu: GPU,
  { codes, tokens, shape }: Int8Input,
  outDtype: FloatDType,
): DenseTensor {
  const k = shape.at(-1) as number
  const isHalf = outDtype === 'float16' && k % 2 === 0
  const y = gpu.empty(shape, isHalf ? 'float16' : 'float32')
  const bytes = [
    [codes, codes.nbytes / (codes.shape[0] as number)],
    [tokens, 16],
    [y, (isHalf ? 2 : 4) * k],
  ] as const
  const m = numelOf(shape.slice(0, -1))
  for (const { first, rows } of rowRanges(gpu, m, ...bytes.map(([, size]) => size))) {
    gpu.dispatch(program({ HALF: isHalf }), {
      bind: bytes.map(([tensor, size]) => ({ tensor, offset: first * size, size: rows * size })),
      params: [rows, k],
      workgroups: grid(Math.ceil((rows * k) / (isHalf ? 128 : 64))),
    })
  }
  return y
}

/**
 * What goes behind the variants of an op that quantizes its input: groups with many rows.
 *
 * @param variants - of products of floats, from `linearVariants` with a product as its only argument
 * @param callOf - what an op's arguments ask for
 */
/* @__NO_SIDE_EFFECTS__ */
export function int8InputAsFloats<Args extends readonly unknown[]>(
  variants: readonly Variant<[product: LinearProduct], Tensor>[],
  callOf: (...args: Args) => Int8Call,
): Variant<Args, Tensor> {
  return {
    name: 'codes of the input as floats',
    when: 'any rows and groups',
    fits: (_gpu, ...args) => isFloatDType(callOf(...args).x.dtype),
    run: (gpu, ...args) => {
      const { weight, product } = callOf(...args)
      return gpu.scope(() => {
        const { input, outDtype, ...rest } = product(gpu)
        const own = { ...rest, x: dequantizeInput(gpu, input, outDtype), weight }
        const variant = variants.find(({ fits }) => fits?.(gpu, own) !== false)
        return cast((variant as Variant<[LinearProduct], Tensor>).run(gpu, own), outDtype)
      })
    },
  }
}
