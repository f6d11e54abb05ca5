/** @file Int4Tensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  narrowDTypeCodec,
  optionalCodec,
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
import { quantizeInt4Groupwise, quantizeInt4GroupwiseSymmetric } from '@ao/quant-primitives'
import {
  checkTinygemm,
  dequantizeGroups,
  dtypeOfScale,
  GROUP_CODECS,
  groupBlockOf,
  groupBlockSize,
  isInt4ActivationDType,
  linearInput,
  packInt4,
  unpackInt4,
  weightOpTable,
  type Int4ActivationDType,
  type Int4ChooseQparamsAlgorithm,
  type Int4Codes,
  type Int4FromHpOptions,
} from '@ao/quantized-linear'
import { checkLayout, int4Views, PACKAGE, type Int4Fields } from './layout.ts'
import { dequantizeInt4, int4Float8Linear, int4Linear } from './linear-ops.ts'

/** How {@link Int4Tensor.fromHp} quantizes. */
export interface Int4TensorFromHpOptions extends Int4FromHpOptions {
  /** float8_e4m3fn quantizes around zero, for inputs that are rounded to it; bfloat16 unless given. */
  readonly activationDtype?: Int4ActivationDType | undefined
}

/** A weight of int4 codes in groups, two to a byte; torchao's `Int4Tensor`. */
export class Int4Tensor extends TensorSubclass implements Int4Fields {
  static override readonly formatName: string = 'Int4Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale', 'zeroPoint']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape']
  static override readonly optionalTensorDataNames: readonly string[] = ['actPreScale']
  static override readonly optionalTensorAttributeNames: readonly string[] = ['activationDtype']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    ...GROUP_CODECS,
    activationDtype: /* @__PURE__ */ optionalCodec(
      /* @__PURE__ */ narrowDTypeCodec(isInt4ActivationDType),
    ),
  }

  /** The name of this packing format in config JSON. */
  static readonly packingFormat: string = 'PLAIN'
  static readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[] = ['TINYGEMM']
  static readonly activationDtypes: readonly Int4ActivationDType[] = ['bfloat16', 'float8_e4m3fn']

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => Int4Tensor,
    views: int4Views,
    linear: linearOfInt4,
  })

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly zeroPoint: DenseTensor
  declare readonly blockSize: readonly number[]
  declare readonly actPreScale: DenseTensor | undefined
  declare readonly activationDtype: Int4ActivationDType

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: Int4Fields) {
    takes('o<qdata:t zeroPoint:t scale:t blockSize:s shape:s>', fields)
    checkLayout(fields)
    const { blockSize, activationDtype = 'bfloat16' } = fields
    const own = { ...fields, blockSize: Object.freeze([...blockSize]), activationDtype }
    super(own, fields.shape, dtypeOfScale(fields.scale, PACKAGE))
  }

  /**
   * Quantizes a dense weight; torchao's `Int4Tensor.from_hp`.
   *
   * @param weight - (N, K), or (E, N, K) for experts; floating
   * @throws {@link ShapeError} when groups do not divide K; {@link ValueError} for another granularity
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: Int4TensorFromHpOptions = {}): Int4Tensor {
    takes(
      'to{granularity chooseQparamsAlgorithm activationDtype ntileSize allowNonFinite}',
      weight,
      options,
    )
    const { activationDtype = 'bfloat16', chooseQparamsAlgorithm } = options
    checkTinygemm(chooseQparamsAlgorithm, PACKAGE)
    const groups = { packageName: PACKAGE, multiple: 2 }
    const blockSize = groupBlockOf(weight, options.granularity, groups)
    const quantize =
      activationDtype === 'bfloat16' ? quantizeInt4Groupwise : quantizeInt4GroupwiseSymmetric
    const { codes, scale, zeroPoint } = quantize(weight, blockSize.at(-1) as number)
    const result = new Int4Tensor({
      qdata: asDense(packInt4(codes)),
      scale: asDense(scale),
      zeroPoint: asDense(zeroPoint),
      blockSize,
      shape: weight.shape,
      activationDtype,
    })
    return options.allowNonFinite ? result : result.requireFinite()
  }

  /**
   * A weight of codes that another int4 format gave.
   *
   * @throws {@link ValueError} for integer zero points: as numbers of the weight's dtype they would round
   */
  static fromCodes(codes: Int4Codes): Int4Tensor {
    takes('o<codes:t scale:t groupSize:n dtype:z>', codes)
    const { scale, zeroPoint, groupSize } = codes
    if (zeroPoint?.domain === 'INT') {
      throw new ValueError({
        package: PACKAGE,
        expected: 'codes with a floating zero point, or none',
        got: 'an integer one',
        cure: 'Quantize the float weight with Int4Tensor.fromHp instead.',
      })
    }
    return new Int4Tensor({
      qdata: asDense(packInt4(codes.codes)),
      scale: asDense(scale),
      zeroPoint: asDense(zeroPoint?.values ?? zeros(scale.shape, scale.dtype, scale.device)),
      blockSize: groupBlockSize(codes.codes.ndim, groupSize),
      shape: codes.codes.shape,
    })
  }

  /** The codes, for another int4 format to take. Transpose the weight back first if it is transposed. */
  toCodes(): Int4Codes {
    const { qdata, scale, zeroPoint, blockSize, dtype } = this
    const groupSize = blockSize.at(-1) as number
    const values = { domain: 'FLOAT', values: zeroPoint } as const
    return { codes: unpackInt4(qdata), scale, zeroPoint: values, groupSize, dtype }
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    return dequantizeGroups<Int4Fields>(this, int4Views, ({ qdata, scale, zeroPoint }) =>
      dequantizeInt4([qdata, scale, zeroPoint], dtype),
    )
  }
}

function linearOfInt4(x: Tensor, weight: Int4Tensor, bias?: Tensor): Tensor {
  const input = linearInput(x, weight, bias, PACKAGE)
  const product = weight.activationDtype === 'float8_e4m3fn' ? int4Float8Linear : int4Linear
  return product(input, [weight.qdata, weight.scale, weight.zeroPoint], bias)
}
