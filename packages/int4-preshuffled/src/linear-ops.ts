/** @file Ops on stored weights, that devices bring kernels for. */

import { hostArray, hostFloat32, type FillRows, type Tensor } from '@ao/base-tensor'
import {
  defineDequantize,
  defineFloat8Linear,
  defineWeightLinear,
  type DequantizeOp,
  type WeightLinearOp,
  type WeightOpsOptions,
} from '@ao/quantized-linear'
import { BAND_ROWS, bandsOf, PACKAGE, WORD_CODES, type Int4PreshuffledFields } from './layout.ts'

/** The stored parts of a weight, see `Int4PreshuffledFields`, and the shape that it stands for. */
export type Int4PreshuffledWeight = readonly [
  qdata: Tensor,
  groupScale: Tensor,
  groupZero: Tensor | undefined,
  rowScale: Tensor | undefined,
  shape: readonly number[],
]

/** What ops take of a weight. */
export function partsOf(fields: Int4PreshuffledFields): Int4PreshuffledWeight {
  return [fields.qdata, fields.groupScale, fields.groupZero, fields.rowScale, fields.shape]
}

const OPTIONS: WeightOpsOptions<Int4PreshuffledWeight> = {
  name: 'int4_preshuffled',
  packageName: PACKAGE,
  shape: ([, , , , shape]) => shape,
  rows: decodeRows,
}

/** The weight (..., N, K) in a dtype: computed in float32, and rounded to it. */
export const dequantizeInt4Preshuffled: DequantizeOp<Int4PreshuffledWeight> =
  /* @__PURE__ */ defineDequantize(OPTIONS)

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const int4PreshuffledLinear: WeightLinearOp<Int4PreshuffledWeight> =
  /* @__PURE__ */ defineWeightLinear(OPTIONS)

/** {@link int4PreshuffledLinear} of an input that is rounded to float8_e4m3fn first. */
export const int4PreshuffledFloat8Linear: WeightLinearOp<Int4PreshuffledWeight> =
  /* @__PURE__ */ defineFloat8Linear(OPTIONS)

/** Fills tiles with dequantized rows, of K numbers each; those of experts follow each other. */
function decodeRows([
  qdata,
  groupScale,
  groupZero,
  rowScale,
  shape,
]: Int4PreshuffledWeight): FillRows {
  const words = hostArray(qdata) as Int32Array
  const scales = hostFloat32(groupScale)
  const zeroPoints = groupZero ? hostFloat32(groupZero) : new Float32Array(scales.length)
  const rowScales = rowScale && hostFloat32(rowScale)
  const rowWords = qdata.shape.at(-1) as number
  const groups = groupScale.shape.at(-2) as number
  const groupWords = rowWords / groups
  const n = shape.at(-2) as number
  const padding = bandsOf(n) * BAND_ROWS - n
  return (tile, first, count) => {
    let to = 0
    for (let i = first; i < first + count; i++) {
      const row = i + Math.floor(i / n) * padding
      const band = Math.floor(row / BAND_ROWS)
      const rowFactor = rowScales ? (rowScales[row] as number) : 1
      let from = row * rowWords
      for (let group = 0; group < groups; group++) {
        const at = (band * groups + group) * BAND_ROWS + (row % BAND_ROWS)
        const scale = Math.fround((scales[at] as number) * rowFactor)
        const zeroPoint = zeroPoints[at] as number
        for (const end = from + groupWords; from < end; from++, to += WORD_CODES) {
          dequantizeWord(words[from] as number, scale, zeroPoint, tile, to)
        }
      }
    }
  }
}

function dequantizeWord(
  word: number,
  scale: number,
  zeroPoint: number,
  tile: Float32Array,
  to: number,
): void {
  for (let j = 0; j < 4; j++) {
    const pair = word >> (4 * j)
    tile[to + 2 * j] = Math.fround(((pair & 15) - 8) * scale) + zeroPoint
    tile[to + 2 * j + 1] = Math.fround((((pair >> 16) & 15) - 8) * scale) + zeroPoint
  }
}
