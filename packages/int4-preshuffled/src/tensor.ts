/** @file Int4PreshuffledTensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  implementOnFields,
  isFloatDType,
  narrowDTypeCodec,
  select,
  slice,
  TensorSubclass,
  type DenseTensor,
  type FloatDType,
  type JsonCodec,
  type OpImplementation,
  type StoredForm,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { quantizeInt4Groupwise, quantizeInt4GroupwiseSymmetric } from '@ao/quant-primitives'
import {
  checkTinygemm,
  float8Scales,
  GROUP_CODECS,
  groupBlockOf,
  groupBlockSize,
  int4PlainForm,
  linearInput,
  productOps,
  type Int4ActivationDType,
  type Int4ChooseQparamsAlgorithm,
  type Int4Codes,
  type Int4FromHpOptions,
} from '@ao/quantized-linear'
import { fromBands, joinScales, toBands } from './group-order.ts'
import {
  checkBlockSize,
  checkCodes,
  checkLayout,
  LANE_CODES,
  PACKAGE,
  type Int4PreshuffledFields,
} from './layout.ts'
import {
  dequantizeInt4Preshuffled,
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  partsOf,
} from './linear-ops.ts'
import { packInt4Preshuffled, unpackInt4Preshuffled } from './shuffle.ts'
import { preshuffledViews } from './views.ts'

/** What inputs a weight is for. */
export interface Int4PreshuffledOptions {
  /** float8_e4m3fn is for inputs that are rounded to it; bfloat16, for none, unless given. */
  readonly activationDtype?: Int4ActivationDType | undefined
}

/** How {@link Int4PreshuffledTensor.fromHp} quantizes. */
export interface Int4PreshuffledFromHpOptions extends Int4FromHpOptions, Int4PreshuffledOptions {}

/**
 * A weight of int4 codes in groups, in the order in which decode kernels read them; torchao's
 * `Int4PreshuffledTensor`, in an order of our own.
 *
 * Files hold it in the plain form, as `Int4Tensor`.
 */
export class Int4PreshuffledTensor extends TensorSubclass implements Int4PreshuffledFields {
  static override readonly formatName: string = 'Int4PreshuffledTensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'groupScale']
  static override readonly optionalTensorDataNames: readonly string[] = ['groupZero', 'rowScale']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'shape', 'dtype']
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    ...GROUP_CODECS,
    dtype: /* @__PURE__ */ narrowDTypeCodec(isFloatDType),
  }
  static override readonly storedForm: StoredForm = /* @__PURE__ */ int4PlainForm({
    packageName: PACKAGE,
    type: () => Int4PreshuffledTensor,
    checkBlockSize,
  })

  /** The name of this packing format in config JSON. */
  static readonly packingFormat: string = 'PRESHUFFLED'
  static readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[] = ['TINYGEMM']
  static readonly activationDtypes: readonly Int4ActivationDType[] = ['bfloat16', 'float8_e4m3fn']

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ productOps({
    packageName: PACKAGE,
    type: () => Int4PreshuffledTensor,
    linear: linearOfPreshuffled,
  }).concat(
    implementOnFields(slice, preshuffledViews.slice),
    implementOnFields(select, preshuffledViews.select),
  )

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly groupScale: DenseTensor
  declare readonly groupZero: DenseTensor | undefined
  declare readonly rowScale: DenseTensor | undefined
  declare readonly blockSize: readonly number[]

  /** @throws {@link ShapeError}, {@link DTypeError} or {@link ValueError} unless the parts fit each other */
  constructor(fields: Int4PreshuffledFields) {
    takes('o<qdata:t groupScale:t blockSize:s shape:s dtype:z>', fields)
    checkLayout(fields)
    const blockSize = Object.freeze([...fields.blockSize])
    super({ ...fields, blockSize }, fields.shape, fields.dtype)
  }

  /**
   * Quantizes a dense weight; torchao's `Int4PreshuffledTensor.from_hp`.
   *
   * @param weight - (N, K), or (E, N, K) for experts; floating
   * @throws {@link ShapeError} unless groups, of a multiple of 32, divide K; {@link ValueError} for another
   * granularity
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: Int4PreshuffledFromHpOptions = {}): Int4PreshuffledTensor {
    takes(
      'to{granularity chooseQparamsAlgorithm activationDtype ntileSize allowNonFinite}',
      weight,
      options,
    )
    const { activationDtype = 'bfloat16', chooseQparamsAlgorithm } = options
    checkTinygemm(chooseQparamsAlgorithm, PACKAGE)
    const groups = { packageName: PACKAGE, multiple: LANE_CODES }
    const blockSize = groupBlockOf(weight, options.granularity, groups)
    const groupSize = blockSize.at(-1) as number
    const isFloat8 = activationDtype === 'float8_e4m3fn'
    const quantize = isFloat8 ? quantizeInt4GroupwiseSymmetric : quantizeInt4Groupwise
    const { codes, scale, zeroPoint } = quantize(weight, groupSize)
    const dtype = scale.dtype as FloatDType
    const values = { domain: 'FLOAT', values: zeroPoint } as const
    const all: Int4Codes = { codes, scale, zeroPoint: values, groupSize, dtype }
    const result = Int4PreshuffledTensor.fromCodes(all, { activationDtype })
    return options.allowNonFinite ? result : result.requireFinite()
  }

  /**
   * A weight of codes that another int4 format gave; torchao's `from_int4_tensor`.
   *
   * @remarks Codes, scales and zero points stay as they are, but for inputs of float8: then scales are
   * rounded to float8_e4m3fn, beside one float32 a row.
   * @throws {@link ValueError} for integer zero points, which would round, and for any but 0 with float8
   */
  static fromCodes(codes: Int4Codes, options: Int4PreshuffledOptions = {}): Int4PreshuffledTensor {
    takes('o<codes:t scale:t groupSize:n dtype:z>o{activationDtype}?', codes, options)
    checkCodes(codes)
    const { scale, zeroPoint, groupSize, dtype } = codes
    const { shape, ndim } = codes.codes
    const qdata = asDense(packInt4Preshuffled(codes.codes))
    const own = { qdata, blockSize: groupBlockSize(ndim, groupSize), shape, dtype }
    if (options.activationDtype !== 'float8_e4m3fn') {
      const groupZero = zeroPoint && toBands(zeroPoint.values)
      return new Int4PreshuffledTensor({ ...own, groupScale: toBands(scale), groupZero })
    }
    const { groupScale, rowScale } = float8Scales(scale, zeroPoint?.values)
    return new Int4PreshuffledTensor({
      ...own,
      groupScale: toBands(groupScale),
      rowScale: toBands(rowScale).squeeze(-2),
    })
  }

  /** The codes, for another int4 format to take. */
  toCodes(): Int4Codes {
    const { qdata, groupScale, groupZero, rowScale, shape, blockSize, dtype } = this
    const n = shape.at(-2) as number
    const scale = rowScale ? joinScales(groupScale, rowScale, dtype) : groupScale
    return {
      codes: unpackInt4Preshuffled(qdata, n),
      scale: fromBands(scale, n),
      zeroPoint: groupZero && { domain: 'FLOAT', values: fromBands(groupZero, n) },
      groupSize: blockSize.at(-1) as number,
      dtype,
    }
  }

  /** What an input of `linear` is rounded to first; bfloat16 stands for no rounding. */
  get activationDtype(): Int4ActivationDType {
    return this.rowScale ? 'float8_e4m3fn' : 'bfloat16'
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    return asDense(dequantizeInt4Preshuffled(partsOf(this), dtype))
  }
}

function linearOfPreshuffled(x: Tensor, weight: Int4PreshuffledTensor, bias?: Tensor): Tensor {
  const input = linearInput(x, weight, bias, PACKAGE)
  const product = weight.rowScale ? int4PreshuffledFloat8Linear : int4PreshuffledLinear
  return product(input, partsOf(weight), bias)
}
