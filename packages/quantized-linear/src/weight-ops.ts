/**
 * @file The ops of a quantized weight that devices bring kernels for, made of one function of the format:
 * the one that decodes rows.
 */

import {
  addBiasThenRound,
  bmmByExperts,
  cast,
  checkBias,
  defineOp,
  errorsOf,
  fromFloat32,
  hostFloat32,
  linearShape,
  mul,
  numelOf,
  tiledMatmulNT,
  transpose,
  UnsupportedOpError,
  zeros,
  type FillRows,
  type FloatDType,
  type Op,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { fakeQuantizeFp8Row } from '@ao/quant-primitives'
import { inFeaturesDim, packedDim, type BlockwiseFields } from './blockwise.ts'

/** What a format says of its weights, of which `Weight` has the stored parts. */
export interface WeightOpsOptions<Weight> {
  /** What op names begin with, such as `int4`. */
  readonly name: string
  /** For errors. */
  readonly packageName: string
  /** Shape of a weight: (N, K), or (E, N, K) for experts. */
  readonly shape: (weight: Weight) => readonly number[]
  /**
   * Fills tiles with dequantized rows of K numbers, in float32. Rows of experts follow each other.
   */
  readonly rows: (weight: Weight) => FillRows
  /** The numbers of an input, as products take them; its own, in float32, unless given. */
  readonly input?: (x: Tensor) => Float32Array
  /** How far products of kernels may be, see `ErrorBudget`; 1e-6 unless given. */
  readonly nmse?: number
}

/** `x` (..., K), `bias` (N) -> (..., N) in the dtype of `x`. */
export type WeightLinearOp<Weight> = Op<
  [x: Tensor, weight: Weight, bias: Tensor | undefined],
  Tensor
>

/** A weight's values in `dtype`: computed in float32, and rounded to it. */
export type DequantizeOp<Weight> = Op<[weight: Weight, dtype: FloatDType], Tensor>

const OPTIONS = 'o<name:x packageName:x shape:f rows:f>'

/** `<name>.dequantize`. */
/* @__NO_SIDE_EFFECTS__ */
export function defineDequantize<Weight extends readonly unknown[]>(
  options: WeightOpsOptions<Weight>,
): DequantizeOp<Weight> {
  takes(OPTIONS, options)
  const { name, shape, rows } = options
  return defineOp({
    name: `${name}.dequantize`,
    takes: 'l<0:t 1:t>z',
    reference: (weight: Weight, dtype: FloatDType): Tensor => {
      const own = shape(weight)
      const values = new Float32Array(numelOf(own))
      rows(weight)(values, 0, numelOf(own.slice(0, -1)))
      return fromFloat32(values, own, dtype)
    },
    meta: (weight: Weight, dtype: FloatDType): Tensor =>
      zeros(shape(weight), dtype, (weight[0] as Tensor).device),
  })
}

/**
 * `<name>.linear`: products dequantize, sum and add the bias in float32 or better, whatever the dtype of
 * the input, and round the result to it once.
 */
/* @__NO_SIDE_EFFECTS__ */
export function defineWeightLinear<Weight>(
  options: WeightOpsOptions<Weight>,
): WeightLinearOp<Weight> {
  takes(OPTIONS, options)
  return linearOp(options, 'linear', options.input ?? hostFloat32)
}

/**
 * `<name>.float8Linear`: the same for an input that is rounded to float8_e4m3fn first, with a scale for
 * each row of it, `max(|x|, 1 / 512) / 448`.
 */
/* @__NO_SIDE_EFFECTS__ */
export function defineFloat8Linear<Weight>(
  options: WeightOpsOptions<Weight>,
): WeightLinearOp<Weight> {
  takes(OPTIONS, options)
  return linearOp(options, 'float8Linear', (x) =>
    fakeQuantizeFp8Row(hostFloat32(x), x.shape.at(-1) as number),
  )
}

/* @__NO_SIDE_EFFECTS__ */
function linearOp<Weight>(
  { name, packageName, shape, rows, nmse = 1e-6 }: WeightOpsOptions<Weight>,
  opName: string,
  inputOf: (x: Tensor) => Float32Array,
): WeightLinearOp<Weight> {
  const outputShape = (x: Tensor, weight: Weight): number[] =>
    linearShape(x, { shape: shape(weight) }, packageName)
  return defineOp({
    name: `${name}.${opName}`,
    budget: { nmse },
    takes: 'tl<0:t 1:t>t?',
    reference: (x: Tensor, weight: Weight, bias: Tensor | undefined): Tensor => {
      const out = outputShape(x, weight)
      const n = out.at(-1) as number
      const [k, m] = [x.shape.at(-1) as number, numelOf(out.slice(0, -1))]
      const products = tiledMatmulNT(inputOf(x), m, n, k, rows(weight))
      return addBiasThenRound(products, out, x.dtype, bias)
    },
    meta: (x: Tensor, weight: Weight): Tensor => zeros(outputShape(x, weight), x.dtype, x.device),
  })
}

/**
 * {@link WeightOpsOptions.rows} of a weight whose scales and zero points, if any, lie as (..., K / g, N).
 *
 * @param elements - the elements of a row's codes, of which a group has a whole number
 * @param codes - in each element
 * @param decode - fills the tile, from `to` on, with the numbers of one group: of elements `from` to `end`
 */
export function groupedRows(
  scale: Tensor,
  zeroPoint: Tensor | undefined,
  elements: number,
  codes: number,
  decode: (
    tile: Float32Array,
    to: number,
    from: number,
    end: number,
    scale: number,
    zeroPoint: number,
  ) => void,
): FillRows {
  takes('tt?nnf', scale, zeroPoint, elements, codes, decode)
  const scales = hostFloat32(scale)
  const zeroPoints = zeroPoint && hostFloat32(zeroPoint)
  const [groups, n] = scale.shape.slice(-2) as [number, number]
  const length = elements / groups
  return (tile, row, count) => {
    let to = 0
    let from = row * elements
    for (let r = row; r < row + count; r++) {
      let at = Math.floor(r / n) * groups * n + (r % n)
      for (let g = 0; g < groups; g++, at += n) {
        const zero = zeroPoints ? (zeroPoints[at] as number) : 0
        decode(tile, to, from, from + length, scales[at] as number, zero)
        from += length
        to += length * codes
      }
    }
  }
}

/** What `linear` and `bmm` look at in a weight. */
export type ProductWeight = Tensor & Pick<BlockwiseFields, 'qdata' | 'blockSize' | 'actPreScale'>

/** A weight in groups, whose parts lie as `blockwise.ts` describes. */
export type GroupedWeight = Tensor & BlockwiseFields

/**
 * The input of a product with `weight`, multiplied by its pre-scale where it has one.
 *
 * @throws {@link UnsupportedOpError} for a weight that is not (N, K) with its groups along K
 * @throws {@link ShapeError} for a bias of another size than N
 */
export function linearInput(
  x: Tensor,
  weight: ProductWeight,
  bias: Tensor | undefined,
  packageName: string,
): Tensor {
  takes('t.t?x', x, weight, bias, packageName)
  const { shape, blockSize, actPreScale } = weight
  if (shape.length !== 2 || packedDim(blockSize) !== 1) throw notStored(weight, packageName)
  checkBias(bias, shape[0] as number, packageName)
  return actPreScale ? cast(mul(x, actPreScale), x.dtype) : x
}

/**
 * The product with each expert's weight: `x` (E, M, K) -> (E, M, N).
 *
 * The sum runs over the dimension along which the weight is quantized. A stored weight (E, N, K) gives `x[e] @ weight[e]^T`, as torchao's `bmm`
 * of quantized experts does, and its transpose (E, K, N) gives the same: `x[e] @ weight[e]`.
 *
 * @remarks Experts are independent: an activation that is quantized per tensor has a scale for each.
 * With one scale for all experts, the order in memory tells the two apart: do not `contiguous()` the
 * transpose of such weights when N is K.
 * @param multiply - the format's linear
 * @throws {@link UnsupportedOpError} for a weight that is neither; {@link ShapeError} unless `x` fits it
 */
export function expertsBmm<Weight extends ProductWeight>(
  x: Tensor,
  weight: Weight,
  multiply: (x: Tensor, expert: Weight) => Tensor,
  packageName: string,
): Tensor {
  takes('t.fx', x, weight, multiply, packageName)
  const summed = inFeaturesDim(weight)
  if (weight.ndim !== 3 || summed === 0) throw notStored(weight, packageName)
  const experts = summed === 2 ? weight : (transpose(weight, 1, 2) as Weight)
  return bmmByExperts(x, experts, multiply, packageName)
}

function notStored({ shape, blockSize }: ProductWeight, packageName: string): UnsupportedOpError {
  return errorsOf(packageName)(
    UnsupportedOpError,
    'a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm',
    `shape [${shape.join(', ')}] with blocks of [${blockSize.join(', ')}]`,
    'Transpose it back, or call dequantize().',
  )
}
