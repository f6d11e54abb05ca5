/** @file The values of quantized weights. */

import {
  asDense,
  cast,
  cat,
  isTensor,
  itemSize,
  select,
  type DenseTensor,
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { grid, type GPU } from '@ao/kernels-webgpu'
import { Bindings, outputDefines } from './bindings.ts'
import { weightDefines, type LinearPrograms, type StoredWeight } from './decoder.ts'
import { rowRanges } from './row-ranges.ts'

/** The weight (N, K) in `dtype`, as the CPU computes it. */
export function dequantizeWeight(
  gpu: GPU,
  programs: LinearPrograms,
  weight: StoredWeight,
  dtype: FloatDType,
): DenseTensor {
  const { n, k, rowBytes = 0 } = weight
  if (k % 2 !== 0 && dtype !== 'float32') {
    return gpu.scope(() => asDense(cast(dequantizeWeight(gpu, programs, weight, 'float32'), dtype)))
  }
  return gpu.scope(() => {
    const y = gpu.empty([n, k], dtype)
    const bound = new Bindings(gpu, weight.parts).add('y', y)
    const defines = {
      ...weightDefines(programs.decoder, weight),
      ...bound.defines,
      ...outputDefines(bound),
    }
    const yBytes = k * itemSize(dtype)
    // Codes that are not in rows are bound as a whole, and so are values.
    const parts = rowBytes > 0 ? rowRanges(gpu, n, rowBytes, yBytes) : [{ first: 0, rows: n }]
    for (const part of parts) {
      gpu.dispatch(programs.dequantize(defines), {
        bind: bound.bind({
          ...(rowBytes > 0 && { codes: { ...part, bytes: rowBytes } }),
          y: { ...part, bytes: yBytes },
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
 * @param parts - those of the weight, its shape among them where it is needed
 * @param isExperts - whether they have experts as their first dimension
 */
export function byExperts<Parts extends readonly (Tensor | readonly number[] | undefined)[]>(
  gpu: GPU,
  parts: Parts,
  isExperts: boolean,
  one: (parts: Parts) => Tensor,
): Tensor {
  if (!isExperts) return one(parts)
  const [count = 0] = (parts[0] as Tensor).shape
  const ofExpert = (part: Parts[number], e: number): Parts[number] =>
    isTensor(part) ? select(part, 0, e) : part?.slice(1)
  return gpu.scope(() => {
    const experts = Array.from({ length: count }, (_, e) =>
      one(parts.map((part) => ofExpert(part, e)) as unknown as Parts).unsqueeze(0),
    )
    return cat(experts, 0)
  })
}
