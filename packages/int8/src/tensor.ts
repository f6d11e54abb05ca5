/** @file Int8Tensor: the fields of `layout.ts` as a tensor, and what it can do. */

import {
  asDense,
  booleanCodec,
  checkFinite,
  hostFloat32,
  integerCodec,
  isFloatDType,
  listCodec,
  narrowDTypeCodec,
  optionalCodec,
  TensorSubclass,
  type DenseTensor,
  type FloatDType,
  type JsonCodec,
  type OpImplementation,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import { PerRow, type Granularity } from '@ao/granularity'
import { dequantizeAffine, type MappingType } from '@ao/quant-primitives'
import {
  checkFloat,
  quantizeKwargsCodec,
  QuantizeTensorToInt8Kwargs,
  quantizeToInt8,
  tensorsOn,
  weightOpTable,
} from '@ao/quantized-linear'
import { PACKAGE } from './errors.ts'
import { checkLayout, int8Views, type Int8Fields } from './layout.ts'
import { int8Linear } from './linear.ts'

/** How {@link Int8Tensor.fromHp} quantizes. */
export interface Int8FromHpOptions {
  /** Which elements share a scale: PerRow(), PerTensor() or PerGroup(n); PerRow() unless given. */
  readonly granularity?: Granularity | undefined
  /** SYMMETRIC unless given. */
  readonly mappingType?: MappingType | undefined
  /** A scale to use instead of one that is chosen from the values; one element a block. */
  readonly scale?: DenseTensor | undefined
  /** The int8 zero point that goes with `scale`. */
  readonly zeroPoint?: DenseTensor | undefined
  /** How `linear` quantizes its input; left out, the tensor is weight-only. */
  readonly actQuantKwargs?: QuantizeTensorToInt8Kwargs | undefined
  /** A static scale for that input. */
  readonly actQuantScale?: DenseTensor | undefined
  /** The zero point that goes with `actQuantScale`, for asymmetric mapping. */
  readonly actQuantZeroPoint?: DenseTensor | undefined
  /** What the input is multiplied by first, (K). */
  readonly actPreScale?: DenseTensor | undefined
  /** Whether codes keep to -64..63; false unless given. */
  readonly reduceRange?: boolean | undefined
  /** Whether to take a weight with NaN or infinities; false unless given. */
  readonly allowNonFinite?: boolean | undefined
}

/** A weight of int8 codes with a scale for each block; torchao's `Int8Tensor`. */
export class Int8Tensor extends TensorSubclass implements Int8Fields {
  static override readonly formatName: string = 'Int8Tensor'
  static override readonly tensorDataNames: readonly string[] = ['qdata', 'scale']
  static override readonly tensorAttributeNames: readonly string[] = ['blockSize', 'dtype']
  static override readonly optionalTensorDataNames: readonly string[] = [
    'zeroPoint',
    'actQuantScale',
    'actQuantZeroPoint',
    'actPreScale',
  ]
  static override readonly optionalTensorAttributeNames: readonly string[] = [
    'actQuantKwargs',
    'reduceRange',
  ]
  static override readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {
    blockSize: /* @__PURE__ */ listCodec(integerCodec),
    dtype: /* @__PURE__ */ narrowDTypeCodec(isFloatDType),
    actQuantKwargs: /* @__PURE__ */ optionalCodec(quantizeKwargsCodec),
    reduceRange: /* @__PURE__ */ optionalCodec(booleanCodec),
  }

  static override readonly ops: readonly OpImplementation[] = /* @__PURE__ */ weightOpTable({
    packageName: PACKAGE,
    type: () => Int8Tensor,
    views: int8Views,
    linear: int8Linear,
  })

  declare readonly dtype: FloatDType
  declare readonly qdata: DenseTensor
  declare readonly scale: DenseTensor
  declare readonly blockSize: readonly number[]
  declare readonly zeroPoint: DenseTensor | undefined
  declare readonly actQuantScale: DenseTensor | undefined
  declare readonly actQuantZeroPoint: DenseTensor | undefined
  declare readonly actPreScale: DenseTensor | undefined
  declare readonly actQuantKwargs: QuantizeTensorToInt8Kwargs | undefined
  declare readonly reduceRange: boolean

  /** @throws {@link ShapeError} or {@link DTypeError} unless the parts fit each other */
  constructor(fields: Int8Fields) {
    takes('o<qdata:t scale:t blockSize:l dtype:z>', fields)
    checkLayout(fields)
    const { actQuantKwargs, reduceRange = false } = fields
    super(
      {
        ...fields,
        blockSize: Object.freeze([...fields.blockSize]),
        actQuantKwargs: actQuantKwargs && QuantizeTensorToInt8Kwargs(actQuantKwargs),
        reduceRange,
      },
      fields.qdata.shape,
      fields.dtype,
    )
  }

  /**
   * Quantizes a dense weight; torchao's `Int8Tensor.from_hp`. Scales that are given on the CPU come to
   * the weight's device.
   *
   * @param weight - (N, K), or (E, N, K) for experts; floating
   * @throws {@link DTypeError} or {@link ShapeError} when the weight, or a given scale, does not fit
   * @throws {@link ValueError} for a weight with NaN or infinities; one on another device than the CPU is
   * refused when the result comes to the CPU
   */
  static fromHp(weight: Tensor, options: Int8FromHpOptions = {}): Int8Tensor {
    takes(
      'to{allowNonFinite granularity mappingType scale zeroPoint actQuantKwargs actQuantScale actQuantZeroPoint actPreScale reduceRange}?',
      weight,
      options,
    )
    const { granularity = PerRow(), mappingType = 'SYMMETRIC', reduceRange = false } = options
    const given = tensorsOn(weight.device, options)
    const codes = quantizeToInt8(weight, { ...given, granularity, mappingType, reduceRange })
    const result = new Int8Tensor({ ...given, ...codes, dtype: checkFloat(weight) })
    if (options.allowNonFinite) return result
    if (options.scale && weight.device.isHost) checkFinite(hostFloat32(weight), 'weight')
    return result.requireFinite()
  }

  override dequantize(dtype: FloatDType = this.dtype): DenseTensor {
    takes('z?', dtype)
    const { qdata, blockSize, scale, zeroPoint } = this
    const options = { outputDtype: dtype }
    return asDense(dequantizeAffine(qdata, blockSize, scale, zeroPoint, 'int8', options))
  }
}
