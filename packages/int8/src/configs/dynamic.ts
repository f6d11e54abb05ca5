/** @file The config for int8 weights and activations that are quantized as they come. */

import {
  booleanCodec,
  defineConfig,
  type ConfigBase,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  takes,
  type Tensor,
} from '@ao/base-tensor'
import { PerRow } from '@ao/granularity'
import { mappingTypeCodec, type MappingType } from '@ao/quant-primitives'
import {
  granularityPairCodec,
  QuantizeTensorToInt8Kwargs,
  skipUnlessRows,
  type GranularityPair,
} from '@ao/quantized-linear'
import { fail } from '../errors.ts'
import { Int8Tensor } from '../tensor.ts'
import { split } from './split.ts'

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

type Fields = Required<Int8DynamicActivationInt8WeightOptions>

const Base: ConfigBase<Fields> = /* @__PURE__ */ defineConfig<Fields>({
  name: 'Int8DynamicActivationInt8WeightConfig',
  version: 2,
  fail,
  options: {
    actMappingType: { codec: mappingTypeCodec, fallback: 'SYMMETRIC' },
    weightOnlyDecode: { codec: booleanCodec, fallback: false },
    granularity: { codec: granularityPairCodec, fallback: /* @__PURE__ */ PerRow() },
    setInductorConfig: { codec: booleanCodec, fallback: true },
    reduceRange: { codec: booleanCodec, fallback: false },
  },
  check: kwargsOf,
})

/**
 * Int8 weights, and activations quantized to int8 by scales chosen from their values. torchao's
 * `Int8DynamicActivationInt8WeightConfig`.
 */
export class Int8DynamicActivationInt8WeightConfig extends Base implements QuantizationConfig {
  /** How activations are quantized. */
  getActQuantKwargs(): QuantizeTensorToInt8Kwargs {
    return kwargsOf(this)
  }

  quantizeTensor(weight: Tensor, context?: QuantizeContext): Int8Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    return (
      skipUnlessRows(weight) ??
      Int8Tensor.fromHp(weight, {
        granularity: split(this.granularity).weight,
        actQuantKwargs: this.getActQuantKwargs(),
        reduceRange: this.reduceRange,
        allowNonFinite: context?.allowNonFinite,
      })
    )
  }
}

/** @throws {@link ValueError} for another granularity or mapping */
function kwargsOf(config: Fields): QuantizeTensorToInt8Kwargs {
  const { granularity, actMappingType, reduceRange, weightOnlyDecode } = config
  const { activation } = split(granularity)
  return QuantizeTensorToInt8Kwargs({
    granularity: activation,
    mappingType: actMappingType,
    reduceRange,
    weightOnlyDecode,
  })
}
