/** @file The config for int8 weights and activations whose scale was measured beforehand. */

import {
  booleanCodec,
  decodeFields,
  encodeFields,
  rejectJson,
  ValueError,
  type ConfigJsonContext,
  type DenseTensor,
  type Json,
  type JsonCodec,
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
import { fail } from '../errors.ts'
import { granularityPairCodec, splitGranularity, type GranularityPair } from './granularity-pair.ts'
import { QuantizeTensorToInt8Kwargs } from '../quantize-kwargs.ts'
import { skipReason } from './skip-reason.ts'
import { Int8Tensor } from '../tensor.ts'

/** Options of {@link Int8StaticActivationInt8WeightConfig}. */
export interface Int8StaticActivationInt8WeightOptions {
  /** The activation's scale, as an observer measured it; needed to quantize. */
  readonly actQuantScale?: DenseTensor | undefined
  /** The activation's int8 zero point; needed for ASYMMETRIC. */
  readonly actQuantZeroPoint?: DenseTensor | undefined
  /** PerRow() or PerTensor(), for both or as `[activation, weight]`; PerRow() unless given. */
  readonly granularity?: GranularityPair
  /** SYMMETRIC or ASYMMETRIC activations; SYMMETRIC unless given. Weights are symmetric. */
  readonly actMappingType?: MappingType
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
  /** Whether codes keep to -64..63; false unless given. */
  readonly reduceRange?: boolean
}

// torchao's JSON has a place for tensors but no way to write them.
const noTensorCodec: JsonCodec<DenseTensor | undefined> = {
  encode: (value) => {
    if (value === undefined) return null
    throw fail(
      ValueError,
      'a config without tensors, to write it as JSON',
      `an activation scale or zero point (${String(value)})`,
      'Write the quantized model instead: its tensors carry them.',
    )
  },
  decode: (json, path) => (json === null ? undefined : rejectJson(path, 'null', json)),
}

const FIELDS: RecordFields<Required<Int8StaticActivationInt8WeightOptions>> = {
  actQuantScale: { jsonName: 'act_quant_scale', codec: noTensorCodec, fallback: undefined },
  actQuantZeroPoint: {
    jsonName: 'act_quant_zero_point',
    codec: noTensorCodec,
    fallback: undefined,
  },
  granularity: {
    jsonName: 'granularity',
    codec: granularityPairCodec,
    fallback: /* @__PURE__ */ PerRow(),
  },
  actMappingType: { jsonName: 'act_mapping_type', codec: mappingTypeCodec, fallback: 'SYMMETRIC' },
  setInductorConfig: { jsonName: 'set_inductor_config', codec: booleanCodec, fallback: true },
  reduceRange: { jsonName: 'reduce_range', codec: booleanCodec, fallback: false },
}

/**
 * Int8 weights, and activations quantized to int8 by a given scale. torchao's
 * `Int8StaticActivationInt8WeightConfig`.
 */
export class Int8StaticActivationInt8WeightConfig implements QuantizationConfig {
  static readonly configName: string = 'Int8StaticActivationInt8WeightConfig'
  static readonly configVersion: number = 1

  readonly configName: string = Int8StaticActivationInt8WeightConfig.configName
  readonly actQuantScale: DenseTensor | undefined
  readonly actQuantZeroPoint: DenseTensor | undefined
  readonly granularity: GranularityPair
  readonly actMappingType: MappingType
  readonly setInductorConfig: boolean
  readonly reduceRange: boolean

  /**
   * Int8 weights, and activations quantized to int8 by a given scale.
   *
   * @throws {@link ValueError} for another granularity or mapping
   */
  constructor(options: Int8StaticActivationInt8WeightOptions = {}) {
    takes(
      'o{actQuantScale actQuantZeroPoint granularity actMappingType setInductorConfig reduceRange}?',
      options,
    )
    this.actQuantScale = options.actQuantScale
    this.actQuantZeroPoint = options.actQuantZeroPoint
    this.granularity = options.granularity ?? PerRow()
    this.actMappingType = options.actMappingType ?? 'SYMMETRIC'
    this.setInductorConfig = options.setInductorConfig ?? true
    this.reduceRange = options.reduceRange ?? false
    this.getActQuantKwargs() // checks what it is made of
    freezeConfig(this)
  }

  /** How activations are quantized: what an observer of their scale has to know. */
  getActQuantKwargs(): QuantizeTensorToInt8Kwargs {
    return QuantizeTensorToInt8Kwargs({
      granularity: splitGranularity(this.granularity).activation,
      mappingType: this.actMappingType,
      reduceRange: this.reduceRange,
    })
  }

  /** @throws {@link ValueError} without the activation's scale, or zero point where it needs one */
  quantizeTensor(weight: Tensor, { name, allowNonFinite }: QuantizeContext): Int8Tensor | Skipped {
    const skipped = skipReason(weight)
    if (skipped) return skipped
    const { actQuantScale, actQuantZeroPoint, actMappingType } = this
    if (!actQuantScale || (actMappingType === 'ASYMMETRIC' && !actQuantZeroPoint)) {
      throw fail(
        ValueError,
        `the scale${actQuantScale ? "'s zero point" : ''} of the activation that ${name} meets`,
        'none',
        'Measure it by running examples through the model, or use Int8DynamicActivationInt8WeightConfig.',
      )
    }
    return Int8Tensor.fromHp(weight, {
      granularity: splitGranularity(this.granularity).weight,
      actQuantKwargs: this.getActQuantKwargs(),
      actQuantScale,
      actQuantZeroPoint,
      reduceRange: this.reduceRange,
      allowNonFinite,
    })
  }

  toJSON(): Json {
    const { configName, configVersion } = Int8StaticActivationInt8WeightConfig
    const data = encodeFields(FIELDS, this, 'config')
    return { _type: configName, _version: configVersion, _data: data }
  }

  /** @throws {@link FormatError} or {@link ValueError} for fields that the config does not take */
  static fromJSON(data: Json, { path }: ConfigJsonContext): Int8StaticActivationInt8WeightConfig {
    return new Int8StaticActivationInt8WeightConfig(decodeFields(FIELDS, data, path))
  }
}
