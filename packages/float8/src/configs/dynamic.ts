/** @file The config for float8 weights that meet float8 activations, quantized as they come. */

import {
  booleanCodec,
  defineConfig,
  enumCodec,
  integerCodec,
  numberCodec,
  optionalCodec,
  skip,
  skipUnlessWeight,
  takes,
  ValueError,
  type ConfigBase,
  type Float8DType,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import {
  describeGranularity,
  granularityEquals,
  PerBlock,
  PerTensor,
  type Granularity,
} from '@ao/granularity'
import { granularityPairCodec, type GranularityPair } from '@ao/quantized-linear'
import { fail } from '../errors.ts'
import {
  checkFloat8,
  Float8MMConfig,
  float8DtypeCodec,
  kernelPreferenceCodec,
  mmConfigCodec,
  QuantizeTensorToFloat8Kwargs,
  type KernelPreference,
} from '../kwargs.ts'
import { Float8Tensor } from '../tensor.ts'

/** torchao's packing formats of float8 that are known here: it has others for weights that are half zeros. */
export type Float8PackingFormat = 'PLAIN'

/** Options of {@link Float8DynamicActivationFloat8WeightConfig}. */
export interface Float8DynamicActivationFloat8WeightOptions {
  /** float8_e4m3fn unless given. */
  readonly activationDtype?: Float8DType
  /** float8_e4m3fn unless given. */
  readonly weightDtype?: Float8DType
  /**
   * PerTensor() or PerRow(), for both or as `[activation, weight]`, or `[PerBlock([1, 128]), PerBlock([128, 128])]`;
   * PerTensor() unless given.
   */
  readonly granularity?: GranularityPair
  /** PLAIN, the one that there is here. */
  readonly packingFormat?: Float8PackingFormat
  /** Kept for torchao; fast sums unless given, but for blocks. */
  readonly mmConfig?: Float8MMConfig
  /** The least that the largest magnitude of activations counts as, where scales are chosen. */
  readonly activationValueLb?: number | undefined
  /** The most that it counts as. */
  readonly activationValueUb?: number | undefined
  /** Kept for torchao; AUTO unless given. */
  readonly kernelPreference?: KernelPreference
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
  /** Kept for torchao; 0 unless given. */
  readonly algId?: number
}

type Fields = Required<Float8DynamicActivationFloat8WeightOptions>

const Base: ConfigBase<Fields> = /* @__PURE__ */ defineConfig<Fields>({
  name: 'Float8DynamicActivationFloat8WeightConfig',
  version: 2,
  fail,
  options: {
    activationDtype: { codec: float8DtypeCodec, fallback: 'float8_e4m3fn' },
    weightDtype: { codec: float8DtypeCodec, fallback: 'float8_e4m3fn' },
    granularity: { codec: granularityPairCodec },
    packingFormat: {
      codec: /* @__PURE__ */ enumCodec('Float8PackingFormat', ['PLAIN']),
      fallback: 'PLAIN',
    },
    mmConfig: { codec: mmConfigCodec },
    activationValueLb: { codec: /* @__PURE__ */ optionalCodec(numberCodec), fallback: undefined },
    activationValueUb: { codec: /* @__PURE__ */ optionalCodec(numberCodec), fallback: undefined },
    kernelPreference: { codec: kernelPreferenceCodec, fallback: 'AUTO' },
    setInductorConfig: { codec: booleanCodec, fallback: true },
    algId: { codec: integerCodec, fallback: 0 },
  },
  check: (config) => {
    checkFloat8(config.weightDtype, 'of weights')
    if (config.packingFormat !== 'PLAIN') {
      throw fail(ValueError, 'the packing format PLAIN', config.packingFormat)
    }
    kwargsOf(config)
  },
})

/**
 * Float8 weights, and activations quantized to float8 by scales chosen from their values. torchao's
 * `Float8DynamicActivationFloat8WeightConfig`.
 *
 * @throws {@link ValueError} for another granularity, dtype or packing format
 */
export class Float8DynamicActivationFloat8WeightConfig extends Base implements QuantizationConfig {
  constructor(options: Float8DynamicActivationFloat8WeightOptions = {}) {
    takes('o', options)
    const granularity = bothOf(options.granularity ?? PerTensor())
    const useFastAccum = granularity[0].type !== 'PerBlock'
    super({
      ...options,
      granularity,
      mmConfig: options.mmConfig ?? Float8MMConfig({ useFastAccum }),
    })
  }

  /** How activations are quantized. */
  getActQuantKwargs(): QuantizeTensorToFloat8Kwargs {
    return kwargsOf(this)
  }

  /**
   * Skips weights whose N or K is no multiple of 16, as torchao does.
   *
   * @throws {@link ShapeError} when blocks do not divide the weight
   */
  quantizeTensor(weight: Tensor, context?: QuantizeContext): Float8Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    const skipped = skipUnlessWeight(weight)
    if (skipped) return skipped
    const sizes = weight.shape.slice(-2)
    if (sizes.some((size) => size % 16 !== 0)) {
      return skip(`its N and K, ${sizes.join(' and ')}, are not both multiples of 16`)
    }
    const { weightDtype: float8Dtype, mmConfig, kernelPreference } = this
    const granularity = bothOf(this.granularity)[1]
    const options = { float8Dtype, granularity, mmConfig, kernelPreference }
    const allowNonFinite = context?.allowNonFinite
    return Float8Tensor.fromHp(weight, {
      ...options,
      actQuantKwargs: kwargsOf(this),
      allowNonFinite,
    })
  }
}

function kwargsOf(config: Fields): QuantizeTensorToFloat8Kwargs {
  const { activationDtype: float8Dtype, granularity, kernelPreference } = config
  const { activationValueLb: hpValueLb, activationValueUb: hpValueUb } = config
  return QuantizeTensorToFloat8Kwargs({
    ...{ float8Dtype, hpValueLb, hpValueUb, kernelPreference },
    granularity: bothOf(granularity)[0],
  })
}

const BLOCKS = [/* @__PURE__ */ PerBlock([1, 128]), /* @__PURE__ */ PerBlock([128, 128])] as const

/** The granularities of activations and of weights, which torchao pairs: `_normalize_granularity`. */
function bothOf(pair: GranularityPair): readonly [activation: Granularity, weight: Granularity] {
  const list = (Array.isArray(pair) ? pair : [pair, pair]) as readonly Granularity[]
  const [activation, weight] = list
  if (activation && weight && list.length === 2) {
    const areBlocks = [activation, weight].every((one, i) =>
      granularityEquals(one, BLOCKS[i] as Granularity),
    )
    const isPlain = ['PerTensor', 'PerRow'].includes(activation.type)
    if (areBlocks || (isPlain && activation.type === weight.type)) return [activation, weight]
  }
  throw fail(
    ValueError,
    'PerTensor or PerRow for activations and weights, or PerBlock([1, 128]) and PerBlock([128, 128])',
    list.map(describeGranularity).join(' and '),
  )
}
