/** @file The config for int8 weights and activations that are quantized as they come. */

import {
  booleanCodec,
  decodeFields,
  encodeFields,
  type ConfigJsonContext,
  type Json,
  type QuantizationConfig,
  type QuantizeContext,
  type RecordFields,
  type Skipped,
  type Tensor,
  freezeConfig,
  takes,
} from '@ao/base-tensor'
import { PerRow } from '@ao/granularity'
import { mappingTypeCodec, type MappingType } from '@ao/quant-primitives'
import { granularityPairCodec, splitGranularity, type GranularityPair } from './granularity-pair.ts'
import { QuantizeTensorToInt8Kwargs } from '../quantize-kwargs.ts'
import { skipReason } from './skip-reason.ts'
import { Int8Tensor } from '../tensor.ts'

/** Options of {@link Int8DynamicActivationInt8WeightConfig}. */
export interface Int8DynamicActivationInt8WeightOptions {
  /** SYMMETRIC or ASYMMETRIC activations; SYMMETRIC unless given. Weights are symmetric. */
  readonly actMappingType?: MappingType
  /** Whether an input of one token (a decoding step) is not quantized; false unless given. */
  readonly weightOnlyDecode?: boolean
  /** PerRow() or PerTensor(), for both or as `[activation, weight]`; PerRow() unless given. */
  readonly granularity?: GranularityPair
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
  /** Whether codes keep to -64..63; false unless given. */
  readonly reduceRange?: boolean
}

const FIELDS: RecordFields<Required<Int8DynamicActivationInt8WeightOptions>> = {
  actMappingType: {
    jsonName: 'act_mapping_type',
    codec: mappingTypeCodec,
    fallback: 'SYMMETRIC',
  },
  weightOnlyDecode: { jsonName: 'weight_only_decode', codec: booleanCodec, fallback: false },
  granularity: {
    jsonName: 'granularity',
    codec: granularityPairCodec,
    fallback: /* @__PURE__ */ PerRow(),
  },
  setInductorConfig: { jsonName: 'set_inductor_config', codec: booleanCodec, fallback: true },
  reduceRange: { jsonName: 'reduce_range', codec: booleanCodec, fallback: false },
}

/**
 * Int8 weights, and activations quantized to int8 by scales chosen from their values. torchao's
 * `Int8DynamicActivationInt8WeightConfig`.
 */
export class Int8DynamicActivationInt8WeightConfig implements QuantizationConfig {
  static readonly configName: string = 'Int8DynamicActivationInt8WeightConfig'
  static readonly configVersion: number = 2

  readonly configName: string = Int8DynamicActivationInt8WeightConfig.configName
  readonly actMappingType: MappingType
  readonly weightOnlyDecode: boolean
  readonly granularity: GranularityPair
  readonly setInductorConfig: boolean
  readonly reduceRange: boolean

  /**
   * Int8 weights, and activations quantized to int8 as they come.
   *
   * @throws {@link ValueError} for another granularity or mapping
   */
  constructor(options: Int8DynamicActivationInt8WeightOptions = {}) {
    takes('o{actMappingType weightOnlyDecode granularity setInductorConfig reduceRange}?', options)
    this.actMappingType = options.actMappingType ?? 'SYMMETRIC'
    this.weightOnlyDecode = options.weightOnlyDecode ?? false
    this.granularity = options.granularity ?? PerRow()
    this.setInductorConfig = options.setInductorConfig ?? true
    this.reduceRange = options.reduceRange ?? false
    this.getActQuantKwargs() // checks what it is made of
    freezeConfig(this)
  }

  /** How activations are quantized. */
  getActQuantKwargs(): QuantizeTensorToInt8Kwargs {
    return QuantizeTensorToInt8Kwargs({
      granularity: splitGranularity(this.granularity).activation,
      mappingType: this.actMappingType,
      reduceRange: this.reduceRange,
      weightOnlyDecode: this.weightOnlyDecode,
    })
  }

  quantizeTensor(weight: Tensor, context?: QuantizeContext): Int8Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    return (
      skipReason(weight) ??
      Int8Tensor.fromHp(weight, {
        granularity: splitGranularity(this.granularity).weight,
        actQuantKwargs: this.getActQuantKwargs(),
        reduceRange: this.reduceRange,
        allowNonFinite: context?.allowNonFinite,
      })
    )
  }

  toJSON(): Json {
    const { configName, configVersion } = Int8DynamicActivationInt8WeightConfig
    const data = encodeFields(FIELDS, this, 'config')
    return { _type: configName, _version: configVersion, _data: data }
  }

  /** @throws {@link FormatError} or {@link ValueError} for fields that the config does not take */
  static fromJSON(data: Json, { path }: ConfigJsonContext): Int8DynamicActivationInt8WeightConfig {
    return new Int8DynamicActivationInt8WeightConfig(decodeFields(FIELDS, data, path))
  }
}
