/** @file The configs for int8 weights that meet int8 activations: quantized as they come, or by a given scale. */

import {
  booleanCodec,
  defineConfig,
  takes,
  ValueError,
  type ConfigBase,
  type ConfigOption,
  type DenseTensor,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { PerRow } from '@ao/granularity'
import { mappingTypeCodec, type MappingType } from '@ao/quant-primitives'
import {
  granularityPairCodec,
  noTensorOption,
  QuantizeTensorToInt8Kwargs,
  skipUnlessRows,
  splitGranularity,
  type GranularityPair,
  type SplitGranularity,
} from '@ao/quantized-linear'
import { fail } from '../errors.ts'
import { Int8Tensor } from '../tensor.ts'

interface ActivationOptions {
  /** PerRow() or PerTensor(), for both or as `[activation, weight]`; PerRow() unless given. */
  readonly granularity?: GranularityPair
  /** SYMMETRIC or ASYMMETRIC activations; SYMMETRIC unless given. Weights are symmetric. */
  readonly actMappingType?: MappingType
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
  /** Whether codes keep to -64..63; false unless given. */
  readonly reduceRange?: boolean
}

/** Options of {@link Int8DynamicActivationInt8WeightConfig}. */
export interface Int8DynamicActivationInt8WeightOptions extends ActivationOptions {
  /** Whether an input of one token (a decoding step) is not quantized; false unless given. */
  readonly weightOnlyDecode?: boolean
}

/** Options of {@link Int8StaticActivationInt8WeightConfig}. */
export interface Int8StaticActivationInt8WeightOptions extends ActivationOptions {
  /** The activation's scale, as an observer measured it; needed to quantize. */
  readonly actQuantScale?: DenseTensor | undefined
  /** The activation's int8 zero point; needed for ASYMMETRIC. */
  readonly actQuantZeroPoint?: DenseTensor | undefined
}

type Dynamic = Required<Int8DynamicActivationInt8WeightOptions>
type Static = Required<Int8StaticActivationInt8WeightOptions>

const GRANULARITY: ConfigOption<GranularityPair> = {
  codec: granularityPairCodec,
  fallback: /* @__PURE__ */ PerRow(),
}
const MAPPING: ConfigOption<MappingType> = { codec: mappingTypeCodec, fallback: 'SYMMETRIC' }
const TRUE: ConfigOption<boolean> = { codec: booleanCodec, fallback: true }
const FALSE: ConfigOption<boolean> = { codec: booleanCodec, fallback: false }
const NO_TENSOR: ConfigOption<DenseTensor | undefined> = /* @__PURE__ */ noTensorOption(fail)

const DynamicBase: ConfigBase<Dynamic> = /* @__PURE__ */ defineConfig<Dynamic>({
  name: 'Int8DynamicActivationInt8WeightConfig',
  version: 2,
  fail,
  options: {
    actMappingType: MAPPING,
    weightOnlyDecode: FALSE,
    granularity: GRANULARITY,
    setInductorConfig: TRUE,
    reduceRange: FALSE,
  },
  check: kwargsOf,
})

/**
 * Int8 weights, and activations quantized to int8 by scales chosen from their values. torchao's
 * `Int8DynamicActivationInt8WeightConfig`.
 *
 * @throws {@link ValueError} for another granularity or mapping
 */
export class Int8DynamicActivationInt8WeightConfig
  extends DynamicBase
  implements QuantizationConfig
{
  /** How activations are quantized. */
  getActQuantKwargs(): QuantizeTensorToInt8Kwargs {
    return kwargsOf(this)
  }

  quantizeTensor(weight: Tensor, context?: QuantizeContext): Int8Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    const { reduceRange } = this
    const granularity = split(this.granularity).weight
    const options = { granularity, actQuantKwargs: kwargsOf(this), reduceRange }
    const allowNonFinite = context?.allowNonFinite
    return skipUnlessRows(weight) ?? Int8Tensor.fromHp(weight, { ...options, allowNonFinite })
  }
}

const StaticBase: ConfigBase<Static> = /* @__PURE__ */ defineConfig<Static>({
  name: 'Int8StaticActivationInt8WeightConfig',
  version: 1,
  fail,
  options: {
    actQuantScale: NO_TENSOR,
    actQuantZeroPoint: NO_TENSOR,
    granularity: GRANULARITY,
    actMappingType: MAPPING,
    setInductorConfig: TRUE,
    reduceRange: FALSE,
  },
  check: kwargsOf,
})

/**
 * Int8 weights, and activations quantized to int8 by a given scale. torchao's
 * `Int8StaticActivationInt8WeightConfig`.
 *
 * @throws {@link ValueError} for another granularity or mapping
 */
export class Int8StaticActivationInt8WeightConfig extends StaticBase implements QuantizationConfig {
  /** How activations are quantized: what an observer of their scale has to know. */
  getActQuantKwargs(): QuantizeTensorToInt8Kwargs {
    return kwargsOf(this)
  }

  /** @throws {@link ValueError} without the activation's scale, or zero point where it needs one */
  quantizeTensor(weight: Tensor, { name, allowNonFinite }: QuantizeContext): Int8Tensor | Skipped {
    const skipped = skipUnlessRows(weight)
    if (skipped) return skipped
    const { actQuantScale, actQuantZeroPoint, actMappingType, reduceRange } = this
    if (!actQuantScale || (actMappingType === 'ASYMMETRIC' && !actQuantZeroPoint)) {
      throw fail(
        ValueError,
        `the scale${actQuantScale ? "'s zero point" : ''} of the activation that ${name} meets`,
        'none',
        'Measure it by running examples through the model, or use Int8DynamicActivationInt8WeightConfig.',
      )
    }
    const granularity = split(this.granularity).weight
    const act = { actQuantKwargs: kwargsOf(this), actQuantScale, actQuantZeroPoint }
    return Int8Tensor.fromHp(weight, { granularity, ...act, reduceRange, allowNonFinite })
  }
}

function kwargsOf(config: Static | Dynamic): QuantizeTensorToInt8Kwargs {
  const { granularity, actMappingType: mappingType, reduceRange } = config
  const weightOnlyDecode = 'weightOnlyDecode' in config && config.weightOnlyDecode
  const { activation } = split(granularity)
  const kwargs = { granularity: activation, mappingType, reduceRange, weightOnlyDecode }
  return QuantizeTensorToInt8Kwargs(kwargs)
}

function split(pair: GranularityPair): SplitGranularity {
  const cure = 'Use Int8WeightOnlyConfig to quantize weights by group.'
  return splitGranularity(pair, fail, cure)
}
