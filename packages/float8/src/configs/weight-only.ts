/** @file The config for float8 weights and activations in full precision. */

import {
  booleanCodec,
  defineConfig,
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
import { describeGranularity, granularityCodec, PerRow, type Granularity } from '@ao/granularity'
import { fail } from '../errors.ts'
import { checkFloat8, float8DtypeCodec } from '../kwargs.ts'
import { Float8Tensor } from '../tensor.ts'

/** Options of {@link Float8WeightOnlyConfig}. */
export interface Float8WeightOnlyOptions {
  /** float8_e4m3fn unless given. */
  readonly weightDtype?: Float8DType
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
  /** PerRow(), PerTensor() or PerGroup(n); PerRow() unless given. */
  readonly granularity?: Granularity
}

const Base: ConfigBase<Required<Float8WeightOnlyOptions>> = /* @__PURE__ */ defineConfig<
  Required<Float8WeightOnlyOptions>
>({
  name: 'Float8WeightOnlyConfig',
  version: 2,
  fail,
  options: {
    weightDtype: { codec: float8DtypeCodec, fallback: 'float8_e4m3fn' },
    setInductorConfig: { codec: booleanCodec, fallback: true },
    granularity: { codec: granularityCodec, fallback: /* @__PURE__ */ PerRow() },
  },
  check: ({ weightDtype, granularity }) => {
    checkFloat8(weightDtype, 'of weights')
    if (['PerRow', 'PerTensor', 'PerGroup'].includes(granularity.type)) return
    const expected = 'PerRow, PerTensor or PerGroup as the granularity of float8 weights'
    throw fail(ValueError, expected, describeGranularity(granularity))
  },
})

/**
 * Float8 weights; activations stay as they are. torchao's `Float8WeightOnlyConfig`.
 *
 * @throws {@link ValueError} unless granularity is PerRow, PerTensor or PerGroup
 */
export class Float8WeightOnlyConfig extends Base implements QuantizationConfig {
  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, context?: QuantizeContext): Float8Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    const { weightDtype: float8Dtype, granularity } = this
    const allowNonFinite = context?.allowNonFinite
    return (
      skipUnlessWeight(weight) ??
      Float8Tensor.fromHp(weight, { float8Dtype, granularity, allowNonFinite })
    )
  }
}
