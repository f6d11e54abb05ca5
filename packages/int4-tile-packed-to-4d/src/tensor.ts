/** @file Int4TilePackedTo4dTensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  cast,
  implementOnFields,
  select,
  ShapeError,
  slice,
  TensorSubclass,
  ValueError,
  zeros,
  type DenseTensor,
  type FloatDType,
  type JsonCodec,
  type OpImplementation,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { packTinygemmScalesAndZeros } from '@ao/quant-primitives'
import {
  GROUP_CODECS,
  groupBlockOf,
  groupBlockSize,
  linearInput,
  productOps,
  valueOfMiddleCode,
  type Int4ChooseQparamsAlgorithm,
  type Int4Codes,
  type Int4FromHpOptions,
} from '@ao/quantized-linear'
import { checkLayout, fail, PACKAGE, TILE_ROWS, type Int4TilePackedTo4dFields } from './layout.ts'
import { dequantizeInt4Tiles, int4TiledLinear } from './linear-ops.ts'
import { checkQuantizable, padded, paddedSizes, quantizePadded } from './quantize.ts'
import { packInt4Tiles, unpackInt4Tiles } from './tiles.ts'
import { tiledViews } from './views.ts'

/** How {@link Int4TilePackedTo4dTensor.fromCodes} takes codes. */
export interface Int4TilePackedFromCodesOptions {
  /** Whether scales may be rounded to bfloat16, and integer zero points become rounded values. */
  readonly allowRounding?: boolean | undefined
}

/** A bfloat16 weight of int4 codes in tinygemm's tiles; torchao's `Int4TilePackedTo4dTensor`. */
export class Int4TilePackedTo4dTensor extends TensorSubclass implements Int4TilePackedTo4dFields {
  static override readonly formatName: string = 'Int4TilePackedTo4dTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scaleAndZero']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly optionalTensorDataNames: readonly string[] = ['actPreScale']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> =
    GROUP_CODECS

  /** The name of this packing format in config JSON. */
  static readonly packingFormat: string = 'TILE_PACKED_TO_4D'
  static readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[] = [
    'TINYGEMM',
    'HQQ',
  ]

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ productOps({
    packageName: PACKAGE,
    type: () => Int4TilePackedTo4dTensor,
    linear: linearOfTiled,
  }).concat(
    implementOnFields(slice, tiledViews.slice),
    implementOnFields(select, tiledViews.select),
  )

  declare readonly dtype: 'bfloat16'
  declare readonly qdata: DenseTensor
  declare readonly scaleAndZero: DenseTensor
  declare readonly blockSize: readonly number[]
  declare readonly actPreScale: DenseTensor | undefined

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: Int4TilePackedTo4dFields) {
    takes('o<qdata:t scaleAndZero:t blockSize:s shape:s>', fields)
    checkLayout(fields)
    const blockSize = Object.freeze([...fields.blockSize])
    super({ ...fields, blockSize }, fields.shape, 'bfloat16')
  }

  /**
   * Quantizes a dense weight; torchao's `Int4TilePackedTo4dTensor.from_hp`.
   *
   * @param weight - (N, K), or (E, N, K) for experts; bfloat16
   * @param options - `ntileSize` 8 (unless given) or 16: what N is padded to a multiple of
   * @throws {@link DTypeError}, {@link ShapeError} or {@link ValueError} for weights, groups and options
   * that the format does not take
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: Int4FromHpOptions = {}): Int4TilePackedTo4dTensor {
    takes('to{granularity chooseQparamsAlgorithm ntileSize allowNonFinite}', weight, options)
    const { chooseQparamsAlgorithm = 'TINYGEMM', ntileSize = TILE_ROWS } = options
    const groups = { packageName: PACKAGE, isPadded: true }
    const blockSize = groupBlockOf(weight, options.granularity, groups)
    const dense = checkQuantizable(weight, blockSize, ntileSize)
    const whole = padded(dense, paddedSizes(weight.shape, ntileSize))
    const quantized = quantizePadded(whole, blockSize, chooseQparamsAlgorithm)
    const { codes, scale, zeroPoint } = quantized
    const result = new Int4TilePackedTo4dTensor({
      qdata: asDense(packInt4Tiles(codes)),
      scaleAndZero: asDense(packTinygemmScalesAndZeros(scale, zeroPoint)),
      blockSize,
      shape: weight.shape,
    })
    return options.allowNonFinite ? result : result.requireFinite()
  }

  /**
   * A weight of codes that another int4 format gave.
   *
   * @throws {@link ValueError} for what bfloat16 would round, unless `allowRounding`: scales of another
   * dtype, and integer zero points
   */
  static fromCodes(
    from: Int4Codes,
    options: Int4TilePackedFromCodesOptions = {},
  ): Int4TilePackedTo4dTensor {
    takes('o<codes:t scale:t groupSize:n dtype:z>o{allowRounding}', from, options)
    const { codes, scale, zeroPoint, groupSize } = from
    const { allowRounding = false } = options
    const isInteger = zeroPoint?.domain === 'INT'
    if (!allowRounding && (isInteger || scale.dtype !== 'bfloat16')) {
      throw fail(
        ValueError,
        'codes with scales of bfloat16, and a floating zero point or none',
        isInteger ? 'an integer zero point' : `scales of ${scale.dtype}`,
        'Quantize the float weight with fromHp, or pass { allowRounding: true }.',
      )
    }
    const values = middleValues(scale, zeroPoint)
    const [rows, columns] = paddedSizes(codes.shape, TILE_ROWS)
    // From (K / g, N), as formats meet, to (N, K / g).
    const asRows = (qparam: Tensor): DenseTensor => {
      const rounded = asDense(cast(qparam, 'bfloat16')).transpose(-2, -1)
      return padded(rounded, [rows, columns / groupSize])
    }
    return new Int4TilePackedTo4dTensor({
      qdata: asDense(packInt4Tiles(padded(asDense(codes), [rows, columns]))),
      scaleAndZero: asDense(packTinygemmScalesAndZeros(asRows(scale), asRows(values))),
      blockSize: groupBlockSize(codes.ndim, groupSize),
      shape: codes.shape,
    })
  }

  /**
   * The codes without padding, for another int4 format to take.
   *
   * @throws {@link ShapeError} when the last group of a row is partly padding
   */
  toCodes(): Int4Codes {
    const { qdata, scaleAndZero, blockSize, shape, dtype } = this
    const groupSize = blockSize.at(-1) as number
    const [n, k] = shape.slice(-2) as [number, number]
    if (k % groupSize !== 0) {
      const cure = 'Call dequantize(), and quantize that.'
      throw fail(ShapeError, `groups of ${groupSize} that divide K`, String(k), cure)
    }
    const cut = (tensor: Tensor, rows: number, columns: number): DenseTensor =>
      asDense(tensor).narrow(-2, 0, rows).narrow(-1, 0, columns).contiguous()
    const qparam = (at: number): DenseTensor => cut(scaleAndZero.select(-1, at), k / groupSize, n)
    return {
      codes: cut(unpackInt4Tiles(qdata), n, k),
      scale: qparam(0),
      zeroPoint: { domain: 'FLOAT', values: qparam(1) },
      groupSize,
      dtype,
    }
  }

  /** The weight as tinygemm's kernels see it, without padding. */
  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    const { qdata, scaleAndZero, shape } = this
    return asDense(dequantizeInt4Tiles([qdata, scaleAndZero, shape], dtype))
  }
}

/** The value of code 8 in each group, which is what this format stores. */
function middleValues(scale: Tensor, zeroPoint: Int4Codes['zeroPoint']): Tensor {
  if (!zeroPoint) return zeros(scale.shape, scale.dtype, scale.device)
  return zeroPoint.domain === 'INT' ? valueOfMiddleCode(zeroPoint.values, scale) : zeroPoint.values
}

function linearOfTiled(x: Tensor, weight: Int4TilePackedTo4dTensor, bias?: Tensor): Tensor {
  const input = linearInput(x, weight, bias, PACKAGE)
  return int4TiledLinear(input, [weight.qdata, weight.scaleAndZero, weight.shape], bias)
}
