/** @file The values of int4 weights. */

import {
  asDense,
  cast,
  cat,
  itemSize,
  select,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { grid, type GPU } from '@ao/kernels-webgpu'
import { bindParts, rangeOf, rowRanges } from './bindings.ts'
import { weightDefines, type Int4Programs, type Int4Stored } from './layout.ts'

const BITS = { float32: '', float16: 'f16_bits', bfloat16: 'bf16_bits' } as const

/** The weight (N, K) in `dtype`, as the CPU computes it. */
export function int4Dequantize(
  gpu: GPU,
  programs: Int4Programs,
  weight: Int4Stored,
  dtype: FloatDType,
): DenseTensor {
  const { n, k, rowBytes } = weight
  if (k % 2 !== 0 && dtype !== 'float32') {
    return gpu.scope(() => asDense(cast(int4Dequantize(gpu, programs, weight, 'float32'), dtype)))
  }
  return gpu.scope(() => {
    const y = gpu.empty([n, k], dtype)
    const codes = gpu.dense(weight.parts.codes)
    const bindings = bindParts(gpu, { ...weight.parts, codes }).add('y', y)
    const program = programs.dequantize({
      ...weightDefines(programs, weight),
      ...bindings.defines,
      Y_BINDING: bindings.defines['y_BINDING'] as number,
      Y_DTYPE: dtype,
      Y_BITS: BITS[dtype],
    })
    const yBytes = k * itemSize(dtype)
    for (const part of rowRanges(gpu, n, [rowBytes, yBytes])) {
      gpu.dispatch(program, {
        bind: bindings.bind({
          codes: rangeOf(codes, part, rowBytes),
          y: rangeOf(y, part, yBytes),
        }),
        params: [part.first, part.rows, 0, 0],
        workgroups: grid(Math.ceil((part.rows * Math.ceil(k / 2)) / 64)),
      })
    }
    return y
  })
}

/**
 * What `one` makes of a weight, or of each expert's, (E, ...), joined.
 *
 * @param parts - those of the weight
 * @param isExperts - whether they have experts as their first dimension
 */
export function byExperts<Parts extends readonly (Tensor | undefined)[]>(
  gpu: GPU,
  parts: Parts,
  isExperts: boolean,
  one: (parts: Parts) => Tensor,
): Tensor {
  if (!isExperts) return one(parts)
  const count = parts[0]?.shape[0] ?? 0
  return gpu.scope(() => {
    const experts = Array.from({ length: count }, (_, e) =>
      one(parts.map((part) => part && select(part, 0, e)) as unknown as Parts).unsqueeze(0),
    )
    return cat(experts, 0)
  })
}
