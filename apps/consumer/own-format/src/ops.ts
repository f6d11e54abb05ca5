/** @file Ops on a ternary weight (N, K) as it is stored. */

import { cast, defineOp, fromArray, fromFloat32, hostArray, hostFloat32 } from '@ao/base-tensor'
import { zeros } from '@ao/base-tensor'
import type { FillRows, Op, Tensor } from '@ao/base-tensor'
import { defineDequantize, defineWeightLinear, groupedRows } from '@ao/quantized-linear'
import type { DequantizeOp, WeightLinearOp, WeightOpsOptions } from '@ao/quantized-linear'
import { CODES, PACKAGE } from './layout.ts'

/** `qdata` (N, K / 16) and `scale` (K / g, N). */
export type TernaryWeight = readonly [qdata: Tensor, scale: Tensor]

/**
 * The ternary weight nearest to `weight` (N, K), with the mean magnitude of each group as its scale, as
 * BitNet b1.58 has it. K is a multiple of the group size, which is one of 16.
 */
export const quantizeTernary: Op<[weight: Tensor, groupSize: number], TernaryWeight> =
  /* @__PURE__ */ defineOp({
    name: 'ternary.quantize',
    reference: (weight: Tensor, groupSize: number): TernaryWeight => {
      const [n, k] = weight.shape as [number, number]
      const values = hostFloat32(weight)
      const words = new Int32Array(values.length / CODES)
      const scales = new Float32Array(values.length / groupSize)
      for (let group = 0; group < scales.length; group++) {
        const start = group * groupSize
        const own = values.subarray(start, start + groupSize)
        const scale = Math.fround(own.reduce((sum, x) => sum + Math.abs(x), 0) / groupSize)
        scales[(((group * groupSize) % k) / groupSize) * n + Math.floor(start / k)] = scale
        own.forEach((x, j) => {
          const code = Math.max(-1, Math.min(1, scale === 0 ? 0 : Math.round(x / scale))) + 1
          const i = start + j
          words[i >> 4] = (words[i >> 4] as number) | (code << (2 * (i & 15)))
        })
      }
      const scale = fromFloat32(scales, [k / groupSize, n], 'float32')
      return [fromArray(words, [n, k / CODES], 'int32'), cast(scale, weight.dtype)]
    },
    meta: ({ shape, dtype, device }: Tensor, groupSize: number): TernaryWeight => {
      const [n, k] = shape as [number, number]
      return [zeros([n, k / CODES], 'int32', device), zeros([k / groupSize, n], dtype, device)]
    },
  })

const OPTIONS: WeightOpsOptions<TernaryWeight> = {
  name: 'ternary',
  packageName: PACKAGE,
  shape: ([{ shape }]) => shape.with(-1, CODES * (shape.at(-1) as number)),
  rows: decodeRows,
}

export const dequantizeTernary: DequantizeOp<TernaryWeight> =
  /* @__PURE__ */ defineDequantize(OPTIONS)

export const ternaryLinear: WeightLinearOp<TernaryWeight> =
  /* @__PURE__ */ defineWeightLinear(OPTIONS)

function decodeRows([qdata, scale]: TernaryWeight): FillRows {
  const words = hostArray(qdata) as Int32Array
  const rowWords = qdata.shape.at(-1) as number
  return groupedRows(scale, undefined, rowWords, CODES, (tile, to, from, end, value) => {
    for (let w = from; w < end; w++) {
      const word = words[w] as number
      for (let bit = 0; bit < 32; bit += 2) tile[to++] = (((word >> bit) & 3) - 1) * value
    }
  })
}
