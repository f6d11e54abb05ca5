/** @file The configs for weights of 1 to 8 bits, with inputs as they are and with inputs of int8. */

import {
  defineConfig,
  enumCodec,
  isFloatDType,
  narrowDTypeCodec,
  optionalCodec,
  takes,
  ValueError,
  type ConfigBase,
  type ConfigOption,
  type FloatDType,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import {
  checkGroupSize,
  granularityCodec,
  PerAxis,
  PerGroup,
  type Granularity,
} from '@ao/granularity'
import { mappingTypeCodec, type MappingType } from '@ao/quant-primitives'
import { skipUnlessRows } from '@ao/quantized-linear'
import { fail, isIntxDType, type IntxDType } from '../layout.ts'
import {
  badGranularity,
  type IntxChooseQparamsAlgorithm,
  type IntxFromHpOptions,
} from '../quantize.ts'
import { IntxUnpackedToInt8Tensor } from '../tensor.ts'

/** torchao's packing formats; the opaque ones are of its kernels for CPUs. */
export type IntxPackingFormat = (typeof PACKING_FORMATS)[number]

const PACKING_FORMATS = [
  'UNPACKED_TO_INT8',
  'OPAQUE_ATEN_KLEIDIAI',
  'OPAQUE_TORCHAO_AUTO',
  'OPAQUE_TORCHAO_KLEIDIAI',
  'OPAQUE_TORCHAO_LOWBIT',
] as const

/** What both configs have. */
interface IntxOptions {
  /** int1 to int8; int8 unless given. */
  readonly weightDtype?: IntxDType
  /** UNPACKED_TO_INT8; there is no other here. */
  readonly intxPackingFormat?: IntxPackingFormat
  /** AFFINE unless given; HQQ_SCALE_ONLY fits symmetric scales. */
  readonly intxChooseQparamsAlgorithm?: IntxChooseQparamsAlgorithm
}

/** Options of {@link IntxWeightOnlyConfig}. */
export interface IntxWeightOnlyOptions extends IntxOptions {
  /** PerAxis(0), a scale for each row, or PerGroup(n); PerAxis(0) unless given. */
  readonly granularity?: Granularity
  /** SYMMETRIC unless given. */
  readonly mappingType?: MappingType
  /** Dtype of scales; that of the weight unless given. */
  readonly scaleDtype?: FloatDType | undefined
}

/** Options of {@link Int8DynamicActivationIntxWeightConfig}. */
export interface Int8DynamicActivationIntxWeightOptions extends IntxOptions {
  /** PerGroup(n), or PerAxis(0); PerGroup(32) unless given. */
  readonly weightGranularity?: Granularity
  /** SYMMETRIC unless given. */
  readonly weightMappingType?: MappingType
  /** Dtype of scales; that of the weight unless given. */
  readonly weightScaleDtype?: FloatDType | undefined
  /** ASYMMETRIC; there is no other. */
  readonly actMappingType?: MappingType
}

const DTYPE: ConfigOption<IntxDType> = {
  codec: /* @__PURE__ */ narrowDTypeCodec(isIntxDType),
  fallback: 'int8',
}
const MAPPING: ConfigOption<MappingType> = { codec: mappingTypeCodec, fallback: 'SYMMETRIC' }
const SCALE_DTYPE: ConfigOption<FloatDType | undefined> = {
  codec: /* @__PURE__ */ optionalCodec(/* @__PURE__ */ narrowDTypeCodec(isFloatDType)),
  fallback: undefined,
}
const PACKING: ConfigOption<IntxPackingFormat> = {
  codec: /* @__PURE__ */ enumCodec('IntxPackingFormat', PACKING_FORMATS),
  fallback: 'UNPACKED_TO_INT8',
}
const ALGORITHM: ConfigOption<IntxChooseQparamsAlgorithm> = {
  codec: /* @__PURE__ */ enumCodec('IntxChooseQParamsAlgorithm', ['AFFINE', 'HQQ_SCALE_ONLY']),
  fallback: 'AFFINE',
}

type WeightOnly = Required<IntxWeightOnlyOptions>
type Dynamic = Required<Int8DynamicActivationIntxWeightOptions>

const WeightOnlyBase: ConfigBase<WeightOnly, IntxWeightOnlyOptions> = /* @__PURE__ */ defineConfig<
  WeightOnly,
  IntxWeightOnlyOptions
>({
  name: 'IntxWeightOnlyConfig',
  version: 2,
  fail,
  options: {
    weightDtype: DTYPE,
    granularity: { codec: granularityCodec, fallback: /* @__PURE__ */ PerAxis(0) },
    mappingType: MAPPING,
    scaleDtype: SCALE_DTYPE,
    intxPackingFormat: PACKING,
    intxChooseQparamsAlgorithm: ALGORITHM,
  },
  check: (config) => checkWeights(config, config.granularity),
})

/**
 * Weights of 1 to 8 bits; activations stay as they are. torchao's `IntxWeightOnlyConfig`.
 *
 * @throws {@link ValueError} for another granularity than PerAxis(0) or PerGroup, or another packing format
 */
export class IntxWeightOnlyConfig extends WeightOnlyBase implements QuantizationConfig {
  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, context: QuantizeContext): IntxUnpackedToInt8Tensor | Skipped {
    const { weightDtype: targetDtype, granularity, mappingType, scaleDtype } = this
    const chooseQparamsAlgorithm = this.intxChooseQparamsAlgorithm
    return quantized(weight, context, {
      ...{ targetDtype, granularity, mappingType, scaleDtype, chooseQparamsAlgorithm },
    })
  }
}

const DynamicBase: ConfigBase<Dynamic, Int8DynamicActivationIntxWeightOptions> =
  /* @__PURE__ */ defineConfig<Dynamic, Int8DynamicActivationIntxWeightOptions>({
    name: 'Int8DynamicActivationIntxWeightConfig',
    version: 2,
    fail,
    options: {
      weightDtype: DTYPE,
      weightGranularity: { codec: granularityCodec, fallback: /* @__PURE__ */ PerGroup(32) },
      weightMappingType: MAPPING,
      weightScaleDtype: SCALE_DTYPE,
      actMappingType: { codec: mappingTypeCodec, fallback: 'ASYMMETRIC' },
      intxPackingFormat: PACKING,
      intxChooseQparamsAlgorithm: ALGORITHM,
    },
    check: (config) => {
      checkWeights(config, config.weightGranularity)
      if (config.actMappingType === 'ASYMMETRIC') return
      throw fail(ValueError, 'ASYMMETRIC as the mapping of activations', config.actMappingType)
    },
  })

/**
 * Weights of 1 to 8 bits, and activations quantized to int8, each token by its own scale and zero point.
 * torchao's `Int8DynamicActivationIntxWeightConfig`; with int4 in groups of 32, it is called 8da4w.
 *
 * @throws {@link ValueError} for another granularity than PerAxis(0) or PerGroup, another packing format, or
 * symmetric activations
 */
export class Int8DynamicActivationIntxWeightConfig
  extends DynamicBase
  implements QuantizationConfig
{
  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, context: QuantizeContext): IntxUnpackedToInt8Tensor | Skipped {
    return quantized(weight, context, {
      targetDtype: this.weightDtype,
      granularity: this.weightGranularity,
      mappingType: this.weightMappingType,
      scaleDtype: this.weightScaleDtype,
      chooseQparamsAlgorithm: this.intxChooseQparamsAlgorithm,
      activationQuantization: 'int8_asym_per_token',
    })
  }
}

function checkWeights(
  { weightDtype, intxPackingFormat }: Required<IntxOptions>,
  granularity: Granularity,
): void {
  if (!isIntxDType(weightDtype))
    throw fail(ValueError, 'a weightDtype of int1 to int8', weightDtype)
  if (intxPackingFormat !== 'UNPACKED_TO_INT8') {
    const cure =
      'Opaque formats are of torchao for one CPU. On a device, codes are packed without being told.'
    throw fail(ValueError, 'UNPACKED_TO_INT8 as the packing format', intxPackingFormat, cure)
  }
  const isPerRow = granularity?.type === 'PerAxis' && granularity.axis === 0
  if (granularity?.type !== 'PerGroup' && !isPerRow) throw badGranularity(granularity)
}

/** What a config makes of a weight. */
function quantized(
  weight: Tensor,
  context: QuantizeContext,
  options: IntxFromHpOptions,
): IntxUnpackedToInt8Tensor | Skipped {
  takes('to<name:x>', weight, context)
  const { name, allowNonFinite } = context
  const skipped = skipUnlessRows(weight)
  if (skipped) return skipped
  if (options.granularity?.type === 'PerGroup') {
    checkGroupSize(weight.shape.at(-1) as number, options.granularity.groupSize, { fail, name })
  }
  return IntxUnpackedToInt8Tensor.fromHp(weight, { ...options, allowNonFinite })
}
