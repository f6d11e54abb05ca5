/**
 * @file Weights of -1, 0 and 1, and how they lie in memory.
 *
 *     qdata  int32 (N, K / 16)     bits 31-30 ... 3-2  1-0
 *     word w of a row                  16w+15 ... 16w+1 16w       codes 0, 1, 2 for -1, 0, 1
 *     scale  float32 (N, K / g)    one for each group of g neighbours along K; (N, 1) for whole rows
 *     value  = (code - 1) * scale
 */

import { defineOp, fromArray, fromFloat32, hostFloat32, zeros } from '@ao/base-tensor'
import type { Op, Tensor } from '@ao/base-tensor'

/** Codes in an int32. */
export const CODES = 16

/** What stands for a weight (N, K): `qdata` (N, K / 16) and `scale` (N, K / g). */
export type TernaryWeight = readonly [qdata: Tensor, scale: Tensor]

/**
 * The ternary weight nearest to `weight` (N, K), with the mean magnitude of each group as its scale, as
 * BitNet b1.58 has it. K is a multiple of the group size, which is one of 16.
 */
export const quantizeTernary: Op<[weight: Tensor, groupSize: number], TernaryWeight> =
  /* @__PURE__ */ defineOp({
    name: 'ternary.quantize',
    reference: (weight: Tensor, groupSize: number): TernaryWeight => {
      const values = hostFloat32(weight)
      const words = new Int32Array(values.length / CODES)
      const scales = new Float32Array(values.length / groupSize)
      for (let group = 0; group < scales.length; group++) {
        const start = group * groupSize
        const scale = meanMagnitude(values, start, start + groupSize)
        scales[group] = scale
        for (let i = start; i < start + groupSize; i++) {
          const steps = scale === 0 ? 0 : Math.round((values[i] as number) / scale)
          const code = Math.max(-1, Math.min(1, steps)) + 1
          words[i >> 4] = (words[i >> 4] as number) | (code << (2 * (i & 15)))
        }
      }
      const [qdata, scale] = partShapes(weight, groupSize)
      return [fromArray(words, qdata, 'int32'), fromFloat32(scales, scale, 'float32')]
    },
    meta: (weight: Tensor, groupSize: number): TernaryWeight => {
      const [qdata, scale] = partShapes(weight, groupSize)
      return [zeros(qdata, 'int32', weight.device), zeros(scale, 'float32', weight.device)]
    },
  })

function meanMagnitude(values: Float32Array, start: number, end: number): number {
  let sum = 0
  for (let i = start; i < end; i++) sum += Math.abs(values[i] as number)
  return Math.fround(sum / (end - start))
}

function partShapes({ shape }: Tensor, groupSize: number): [number[], number[]] {
  const [n, k] = shape as [number, number]
  return [
    [n, k / CODES],
    [n, k / groupSize],
  ]
}
