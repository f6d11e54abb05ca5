/** @file The config for float8 weights that meet float8 activations, quantized by a measured scale. */

import {
  booleanCodec,
  defineConfig,
  optionalCodec,
  rejectJson,
  skipUnlessWeight,
  takes,
  ValueError,
  type ConfigBase,
  type ConfigOption,
  type DenseTensor,
  type Float8DType,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { describeGranularity, granularityCodec, PerTensor, type Granularity } from '@ao/granularity'
import { noTensorOption } from '@ao/quantized-linear'
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
import { PrototypeFloat8Tensor } from '../static-tensor.ts'

/** Options of {@link Float8StaticActivationFloat8WeightConfig}. */
export interface Float8StaticActivationFloat8WeightOptions {
  /** torchao's step of calibrating a model; refused: measure the scale first. */
  readonly step?: undefined
  /** The activation's scale, float32, of one element; needed to quantize. */
  readonly actQuantScale?: DenseTensor | undefined
  /** float8_e4m3fn unless given. */
  readonly activationDtype?: Float8DType
  /** float8_e4m3fn unless given. */
  readonly weightDtype?: Float8DType
  /** PerTensor(), of activations and weights. */
  readonly granularity?: Granularity | undefined
  /** Kept for torchao; fast sums unless given. */
  readonly mmConfig?: Float8MMConfig
  /** Kept for torchao; AUTO unless given. */
  readonly kernelPreference?: KernelPreference
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
  /** Whether outputs are rounded to float8, too; false unless given. */
  readonly quantizeAndDequantizeOutput?: boolean
  /** The output's scale, float32, of one element; needed to round outputs. */
  readonly outputActQuantScale?: DenseTensor | undefined
}

type Fields = Required<Float8StaticActivationFloat8WeightOptions>

const NO_TENSOR: ConfigOption<DenseTensor | undefined> = /* @__PURE__ */ noTensorOption(fail)
const NO_STEP: ConfigOption<undefined> = {
  fallback: undefined,
  codec: {
    encode: () => null,
    decode: (json, path) => (json === null ? undefined : rejectJson(path, 'null', json)),
  },
}

const Base: ConfigBase<Fields> = /* @__PURE__ */ defineConfig<Fields>({
  name: 'Float8StaticActivationFloat8WeightConfig',
  version: 1,
  fail,
  options: {
    step: NO_STEP,
    actQuantScale: NO_TENSOR,
    activationDtype: { codec: float8DtypeCodec, fallback: 'float8_e4m3fn' },
    weightDtype: { codec: float8DtypeCodec, fallback: 'float8_e4m3fn' },
    granularity: { codec: /* @__PURE__ */ optionalCodec(granularityCodec), fallback: undefined },
    mmConfig: {
      codec: mmConfigCodec,
      fallback: /* @__PURE__ */ Float8MMConfig({ useFastAccum: true }),
    },
    kernelPreference: { codec: kernelPreferenceCodec, fallback: 'AUTO' },
    setInductorConfig: { codec: booleanCodec, fallback: true },
    quantizeAndDequantizeOutput: { codec: booleanCodec, fallback: false },
    outputActQuantScale: NO_TENSOR,
  },
  check: ({ step, granularity, activationDtype, weightDtype }) => {
    checkFloat8(activationDtype, 'of activations')
    checkFloat8(weightDtype, 'of weights')
    if (step !== undefined) throw fail(ValueError, 'a measured scale instead of a step', step)
    if ((granularity ?? PerTensor()).type === 'PerTensor') return
    const expected = 'PerTensor as the granularity of activations with a measured scale'
    throw fail(ValueError, expected, describeGranularity(granularity as unknown as Granularity))
  },
})

/**
 * Float8 weights, and activations quantized to float8 by a given scale. torchao's
 * `Float8StaticActivationFloat8WeightConfig`.
 *
 * @throws {@link ValueError} for another granularity or dtype
 */
export class Float8StaticActivationFloat8WeightConfig extends Base implements QuantizationConfig {
  /** How activations are quantized: what an observer of their scale has to know. */
  getActQuantKwargs(): QuantizeTensorToFloat8Kwargs {
    const { activationDtype: float8Dtype, mmConfig, kernelPreference } = this
    const granularity = PerTensor()
    return QuantizeTensorToFloat8Kwargs({ float8Dtype, granularity, mmConfig, kernelPreference })
  }

  /** @throws {@link ValueError} without a scale that it needs */
  quantizeTensor(weight: Tensor, context: QuantizeContext): PrototypeFloat8Tensor | Skipped {
    takes('to<name:x>', weight, context)
    const skipped = skipUnlessWeight(weight)
    if (skipped) return skipped
    const { weightDtype: float8Dtype, mmConfig, kernelPreference, actQuantScale } = this
    const actQuantKwargs = this.getActQuantKwargs()
    const { quantizeAndDequantizeOutput: roundsOutput, outputActQuantScale } = this
    if (!actQuantScale) throw missing('activation that', context.name, 'meets')
    if (roundsOutput && !outputActQuantScale) throw missing('output that', context.name, 'gives')
    return PrototypeFloat8Tensor.fromHp(weight, {
      ...{ granularity: PerTensor(), float8Dtype, mmConfig, kernelPreference },
      ...{ actQuantKwargs, actQuantScale, allowNonFinite: context.allowNonFinite },
      ...(roundsOutput && { outputActQuantScale, outputActQuantKwargs: actQuantKwargs }),
    })
  }
}

function missing(what: string, name: string, verb: string): ValueError {
  const cure =
    'Measure it by running examples through the model, or use Float8DynamicActivationFloat8WeightConfig.'
  return fail(ValueError, `the scale of the ${what} ${name} ${verb}`, 'none', cure)
}
