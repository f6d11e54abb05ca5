/**
 * @file Ops on preshuffled int4 weights, that devices bring kernels for.
 *
 * They take the parts as they are stored; K and the group size follow from their shapes, N does not, as
 * bands are padded. The references say what is computed, in the order of the plain weight: products
 * dequantize and sum in float32, whatever the dtype of the input, and round the result to it once; a bias
 * is added after that, as torchao does.
 */

import {
  addBiasThenRound,
  defineOp,
  fromFloat32,
  hostArray,
  hostFloat32,
  linearShape,
  numelOf,
  tiledMatmulNT,
  zeros,
  type FillRows,
  type FloatDType,
  type Op,
  type Tensor,
} from '@ao/base-tensor'
import { fakeQuantizeFp8Row } from '@ao/quant-primitives'
import { BAND_ROWS, bandsOf, PACKAGE, WORD_CODES } from './layout.ts'
import { unpackedShape } from './shuffle.ts'

/** The stored parts of a weight: see `Int4PreshuffledFields`. */
export type Int4PreshuffledParts = readonly [
  qdata: Tensor,
  groupScale: Tensor,
  groupZero: Tensor | undefined,
  rowScale: Tensor | undefined,
]

/** The weight (..., n, K) in `dtype`: computed in float32, and rounded to it. */
export const dequantizeInt4Preshuffled: Op<
  [weight: Int4PreshuffledParts, n: number, dtype: FloatDType],
  Tensor
> = /* @__PURE__ */ defineOp({
  name: 'int4_preshuffled.dequantize',
  takes: 'p<0 1>nz',
  reference: (weight: Int4PreshuffledParts, n: number, dtype: FloatDType): Tensor => {
    const shape = unpackedShape(weight[0], n)
    const values = new Float32Array(numelOf(shape))
    dequantizeRows(weight, n)(values, 0, numelOf(shape.slice(0, -1)))
    return fromFloat32(values, shape, dtype)
  },
  meta: (weight: Int4PreshuffledParts, n: number, dtype: FloatDType): Tensor =>
    zeros(unpackedShape(weight[0], n), dtype, weight[0].device),
})

type LinearArgs = [x: Tensor, weight: Int4PreshuffledParts, n: number, bias: Tensor | undefined]

/**
 * `x @ weight^T + bias` in the dtype of `x`.
 *
 * `x` (..., K), weight (n, K), `bias` (n) -> (..., n)
 */
export const int4PreshuffledLinear: Op<LinearArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4_preshuffled.linear',
  takes: 'tp<0 1>nt?',
  budget: { nmse: 1e-6 },
  reference: (...[x, weight, n, bias]: LinearArgs): Tensor =>
    product(x, hostFloat32(x), weight, n, bias),
  meta: emptyProduct,
})

/**
 * {@link int4PreshuffledLinear} of an input that is rounded to float8_e4m3fn first, with a scale for each
 * row of it: `max(|x|, 1 / 512) / 448`.
 */
export const int4PreshuffledFloat8Linear: Op<LinearArgs, Tensor> = /* @__PURE__ */ defineOp({
  name: 'int4_preshuffled.float8Linear',
  takes: 'tp<0 1>nt?',
  budget: { nmse: 1e-6 },
  reference: (...[x, weight, n, bias]: LinearArgs): Tensor => {
    const rounded = fakeQuantizeFp8Row(hostFloat32(x), x.shape.at(-1) as number)
    return product(x, rounded, weight, n, bias)
  },
  meta: emptyProduct,
})

function product(
  x: Tensor,
  values: Float32Array,
  weight: Int4PreshuffledParts,
  n: number,
  bias: Tensor | undefined,
): Tensor {
  const shape = productShape(x, weight, n)
  const k = x.shape.at(-1) as number
  const out = tiledMatmulNT(values, numelOf(shape.slice(0, -1)), n, k, dequantizeRows(weight, n))
  return addBiasThenRound(out, shape, x.dtype, bias)
}

function emptyProduct(x: Tensor, weight: Int4PreshuffledParts, n: number): Tensor {
  return zeros(productShape(x, weight, n), x.dtype, x.device)
}

function productShape(x: Tensor, [qdata]: Int4PreshuffledParts, n: number): number[] {
  return linearShape(x, { shape: unpackedShape(qdata, n) }, PACKAGE)
}

/** Fills tiles with dequantized rows, of K numbers each; those of experts follow each other. */
function dequantizeRows(weight: Int4PreshuffledParts, n: number): FillRows {
  const [qdata, groupScale, groupZero, rowScale] = weight
  const words = hostArray(qdata) as Int32Array
  const scales = hostFloat32(groupScale)
  const zeroPoints = groupZero ? hostFloat32(groupZero) : new Float32Array(scales.length)
  const rowScales = rowScale && hostFloat32(rowScale)
  const rowWords = qdata.shape.at(-1) as number
  const groups = groupScale.shape.at(-2) as number
  const groupWords = rowWords / groups
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
