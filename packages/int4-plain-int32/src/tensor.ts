/** @file Int4PlainInt32Tensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  cast,
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
import {
  checkTinygemm,
  dequantizeGroups,
  dtypeOfScale,
  GROUP_CODECS,
  groupBlockOf,
  groupBlockSize,
  linearInput,
  moveZeroPoint,
  packInt4Words,
  unpackInt4Words,
  weightOpTable,
  type Int4ChooseQparamsAlgorithm,
  type Int4Codes,
  type Int4FromHpOptions,
} from '@ao/quantized-linear'
import {
  checkLayout,
  CODES_PER_WORD,
  PACKAGE,
  plainInt32Views,
  variantOf,
  type Int4PlainInt32Fields,
  type Int4PlainInt32Variant,
} from './layout.ts'
import { dequantizeInt4PlainInt32, int4PlainInt32Linear } from './linear-ops.ts'
import { quantizeInt4PlainInt32 } from './quantize.ts'

/** How {@link Int4PlainInt32Tensor.fromHp} quantizes. */
export interface Int4PlainInt32FromHpOptions extends Int4FromHpOptions {
  /** `xpu` unless given; `npu` takes groups of 32, 64, ... that are smaller than K. */
  readonly variant?: Int4PlainInt32Variant | undefined
}

/** A weight of int4 codes in groups, eight to an int32; torchao's `Int4PlainInt32Tensor`. */
export class Int4PlainInt32Tensor extends TensorSubclass implements Int4PlainInt32Fields {
  static override readonly formatName: string = 'Int4PlainInt32Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale', 'zeroPoint']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly optionalTensorDataNames: readonly string[] = ['actPreScale']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> =
    GROUP_CODECS

  /** The name of this packing format in config JSON. */
  static readonly packingFormat: string = 'PLAIN_INT32'
  static readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[] = ['TINYGEMM']

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => Int4PlainInt32Tensor,
    views: plainInt32Views,
    linear: linearOfPlainInt32,
  })

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly zeroPoint: DenseTensor
  declare readonly blockSize: readonly number[]
  declare readonly actPreScale: DenseTensor | undefined

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: Int4PlainInt32Fields) {
    takes('o<qdata:t zeroPoint:t scale:t blockSize:s shape:s>', fields)
    checkLayout(fields)
    const blockSize = Object.freeze([...fields.blockSize])
    super({ ...fields, blockSize }, fields.shape, dtypeOfScale(fields.scale, PACKAGE))
  }

  /**
   * Quantizes a dense weight; torchao's `Int4PlainInt32Tensor.from_hp`.
   *
   * @param weight - (N, K), or (E, N, K) for experts; floating
   * @throws {@link DTypeError}, {@link ShapeError} or {@link ValueError} for a weight, groups or options
   * that the variant does not take
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: Int4PlainInt32FromHpOptions = {}): Int4PlainInt32Tensor {
    takes(
      'to{granularity chooseQparamsAlgorithm variant ntileSize allowNonFinite}',
      weight,
      options,
    )
    const { variant = 'xpu', chooseQparamsAlgorithm } = options
    checkTinygemm(chooseQparamsAlgorithm, PACKAGE)
    const groups = { packageName: PACKAGE, multiple: CODES_PER_WORD }
    const blockSize = groupBlockOf(weight, options.granularity, groups)
    const [qdata, scale, zeroPoint] = quantizeInt4PlainInt32(weight, blockSize, variant)
    const result = new Int4PlainInt32Tensor({
      qdata: asDense(qdata),
      scale: asDense(scale),
      zeroPoint: asDense(zeroPoint),
      blockSize,
      shape: weight.shape,
    })
    return options.allowNonFinite ? result : result.requireFinite()
  }

  /**
   * A weight of codes that another int4 format gave.
   *
   * @remarks Zero points in the dtype of the scale make the variant `npu`, all others `xpu`.
   * @throws {@link ValueError} for floating zero points, which need not be codes
   */
  static fromCodes(from: Int4Codes): Int4PlainInt32Tensor {
    takes('o<codes:t scale:t groupSize:n dtype:z>', from)
    const { codes, scale, zeroPoint, groupSize } = from
    if (zeroPoint?.domain === 'FLOAT') {
      throw new ValueError({
        package: PACKAGE,
        expected: 'codes with an integer zero point, or none',
        got: 'a floating one',
        cure: 'Quantize the float weight with Int4PlainInt32Tensor.fromHp instead.',
      })
    }
    const middle = moveZeroPoint(zeros(scale.shape, 'int8', scale.device), 8)
    const values = zeroPoint?.values ?? middle
    const variant = values.dtype === scale.dtype ? 'npu' : 'xpu'
    return new Int4PlainInt32Tensor({
      qdata: asDense(packInt4Words(codes, variant === 'npu')),
      scale: asDense(scale),
      zeroPoint: asDense(variant === 'npu' ? moveZeroPoint(values, -8) : cast(values, 'int8')),
      blockSize: groupBlockSize(codes.ndim, groupSize),
      shape: codes.shape,
    })
  }

  /** The codes, for another int4 format to take. Transpose the weight back first if it is transposed. */
  toCodes(): Int4Codes {
    const { qdata, scale, zeroPoint, blockSize, dtype } = this
    const variant = variantOf(zeroPoint)
    const values = variant === 'npu' ? moveZeroPoint(zeroPoint, 8) : zeroPoint
    return {
      codes: unpackInt4Words(qdata, variant === 'npu'),
      scale,
      zeroPoint: { domain: 'INT', values },
      groupSize: blockSize.at(-1) as number,
      dtype,
    }
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    return dequantizeGroups<Int4PlainInt32Fields>(
      this,
      plainInt32Views,
      ({ qdata, scale, zeroPoint }) => dequantizeInt4PlainInt32([qdata, scale, zeroPoint], dtype),
    )
  }
}

function linearOfPlainInt32(x: Tensor, weight: Int4PlainInt32Tensor, bias?: Tensor): Tensor {
  const input = linearInput(x, weight, bias, PACKAGE)
  return int4PlainInt32Linear(input, [weight.qdata, weight.scale, weight.zeroPoint], bias)
}
