/** @file The config for int8 weights and activations whose scale was measured beforehand. */

import {
  booleanCodec,
  defineConfig,
  rejectJson,
  ValueError,
  type ConfigBase,
  type DenseTensor,
  type JsonCodec,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
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

type Fields = Required<Int8StaticActivationInt8WeightOptions>

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

const Base: ConfigBase<Fields> = /* @__PURE__ */ defineConfig<Fields>({
  name: 'Int8StaticActivationInt8WeightConfig',
  version: 1,
  fail,
  options: {
    actQuantScale: { codec: noTensorCodec, fallback: undefined },
    actQuantZeroPoint: { codec: noTensorCodec, fallback: undefined },
    granularity: { codec: granularityPairCodec, fallback: /* @__PURE__ */ PerRow() },
    actMappingType: { codec: mappingTypeCodec, fallback: 'SYMMETRIC' },
    setInductorConfig: { codec: booleanCodec, fallback: true },
    reduceRange: { codec: booleanCodec, fallback: false },
  },
  check: kwargsOf,
})

/**
 * Int8 weights, and activations quantized to int8 by a given scale. torchao's
 * `Int8StaticActivationInt8WeightConfig`.
 */
export class Int8StaticActivationInt8WeightConfig extends Base implements QuantizationConfig {
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
    const { weight: granularity } = split(this.granularity)
    const actQuantKwargs = this.getActQuantKwargs()
    const act = { actQuantKwargs, actQuantScale, actQuantZeroPoint }
    return Int8Tensor.fromHp(weight, { granularity, ...act, reduceRange, allowNonFinite })
  }
}

/** @throws {@link ValueError} for another granularity or mapping */
function kwargsOf({
  granularity,
  actMappingType,
  reduceRange,
}: Fields): QuantizeTensorToInt8Kwargs {
  const { activation } = split(granularity)
  return QuantizeTensorToInt8Kwargs({
    granularity: activation,
    mappingType: actMappingType,
    reduceRange,
  })
}
