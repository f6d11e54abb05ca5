/**
 * @file Ops on stored weights, that devices bring kernels for.
 *
 * The arithmetic is that of tinygemm's kernels: inputs and weights are bfloat16, rounded once from code,
 * scale and zero; sums run in float32 or better. Outputs are rounded once, to the dtype of the input.
 */

import {
  cast,
  fusedMultiplyAdd,
  hostArray,
  hostFloat32,
  type FillRows,
  type Tensor,
} from '@ao/base-tensor'
import {
  defineDequantize,
  defineWeightLinear,
  type DequantizeOp,
  type WeightLinearOp,
  type WeightOpsOptions,
} from '@ao/quantized-linear'
import { PACKAGE, roundUp } from './layout.ts'
import { COLUMNS_PER_WORD, lookUp, untiledShape, wordIndex } from './tiles.ts'

/**
 * The stored parts of a weight, `qdata` (N / 8, K / 128, 32, 4) and `scaleAndZero` (K / g, N, 2), and the
 * shape that it stands for, (N, K) or (E, N, K).
 */
export type Int4TiledWeight = readonly [
  qdata: Tensor,
  scaleAndZero: Tensor,
  shape: readonly number[],
]

const OPTIONS: WeightOpsOptions<Int4TiledWeight> = {
  name: 'int4_tile_packed_to_4d',
  packageName: PACKAGE,
  shape: ([, , shape]) => shape,
  rows: decodeRows,
  input: (x) => hostFloat32(cast(x, 'bfloat16')),
  nmse: 1e-5,
}

/** The values of a weight, without padding. */
export const dequantizeInt4Tiles: DequantizeOp<Int4TiledWeight> =
  /* @__PURE__ */ defineDequantize(OPTIONS)

/** `x @ weight^T + bias` in the dtype of `x`: `x` (..., K), `bias` (N) -> (..., N). */
export const int4TiledLinear: WeightLinearOp<Int4TiledWeight> =
  /* @__PURE__ */ defineWeightLinear(OPTIONS)

function decodeRows([qdata, scaleAndZero, shape]: Int4TiledWeight): FillRows {
  const words = hostArray(qdata) as Int32Array
  const qparams = hostFloat32(scaleAndZero)
  const [n, k] = shape.slice(-2) as [number, number]
  const [paddedRows, paddedColumns] = untiledShape(qdata.shape).slice(-2) as [number, number]
  const allGroups = scaleAndZero.shape.at(-3) as number
  const groupSize = paddedColumns / allGroups
  const columns = roundUp(k, COLUMNS_PER_WORD)
  const groups = Math.ceil(columns / groupSize)
  const table = new Float32Array(groups * 16)
  const values = new Float32Array(columns)
  return (tile, first, count) => {
    for (let i = 0; i < count; i++) {
      const expert = Math.floor((first + i) / n)
      const row = (first + i) % n
      for (let g = 0; g < groups; g++) {
        const at = ((expert * allGroups + g) * paddedRows + row) * 2
        fillTable(table, g * 16, qparams[at] as number, qparams[at + 1] as number)
      }
      for (let column = 0; column < columns; column += COLUMNS_PER_WORD) {
        const word = wordIndex(expert * paddedRows + row, column, paddedColumns)
        lookUp(words, word, table, Math.floor(column / groupSize) * 16, values, column)
      }
      tile.set(values.subarray(0, k), i * k)
    }
  }
}

/** The values of a group's 16 codes. */
function fillTable(table: Float32Array, offset: number, scale: number, zero: number): void {
  for (let code = 0; code < 16; code++) {
    table[offset + code] = fusedMultiplyAdd(code - 8, scale, zero)
  }
}
