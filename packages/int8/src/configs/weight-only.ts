/** @file The config for int8 weights and activations in full precision. */

import {
  booleanCodec,
  defineConfig,
  integerCodec,
  optionalCodec,
  ValueError,
  type ConfigBase,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import {
  checkGroupSize,
  describeGranularity,
  granularityCodec,
  PerRow,
  type Granularity,
} from '@ao/granularity'
import { skipUnlessRows } from '@ao/quantized-linear'
import { fail } from '../errors.ts'
import { Int8Tensor } from '../tensor.ts'

/** Options of {@link Int8WeightOnlyConfig}. */
export interface Int8WeightOnlyOptions {
  /** PerRow(), PerTensor() or PerGroup(n); PerRow() unless given. */
  readonly granularity?: Granularity
  /** What torchao called PerGroup before; refused. */
  readonly groupSize?: undefined
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
}

interface Fields {
  readonly groupSize: number | undefined
  readonly granularity: Granularity
  readonly setInductorConfig: boolean
}

const Base: ConfigBase<Fields, Int8WeightOnlyOptions> = /* @__PURE__ */ defineConfig<
  Fields,
  Int8WeightOnlyOptions
>({
  name: 'Int8WeightOnlyConfig',
  version: 2,
  fail,
  options: {
    groupSize: { codec: /* @__PURE__ */ optionalCodec(integerCodec), fallback: undefined },
    granularity: { codec: granularityCodec, fallback: /* @__PURE__ */ PerRow() },
    setInductorConfig: { codec: booleanCodec, fallback: true },
  },
  check: ({ groupSize, granularity }) => {
    if (groupSize !== undefined) {
      throw fail(
        ValueError,
        'a granularity instead of a group size, which torchao took until version 1 of the config',
        `group size ${groupSize}`,
        `Use granularity PerGroup(${groupSize}).`,
      )
    }
    if (['PerRow', 'PerTensor', 'PerGroup'].includes(granularity.type)) return
    const expected = 'PerRow, PerTensor or PerGroup as the granularity of int8 weights'
    throw fail(ValueError, expected, describeGranularity(granularity))
  },
})

/**
 * Int8 weights; activations stay as they are. torchao's `Int8WeightOnlyConfig`.
 *
 * @throws {@link ValueError} unless granularity is PerRow, PerTensor or PerGroup
 */
export class Int8WeightOnlyConfig extends Base implements QuantizationConfig {
  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, context: QuantizeContext): Int8Tensor | Skipped {
    takes('to<name:x>', weight, context)
    const { name, allowNonFinite } = context
    const skipped = skipUnlessRows(weight)
    if (skipped) return skipped
    const { granularity } = this
    if (granularity.type === 'PerGroup') {
      checkGroupSize(weight.shape.at(-1) as number, granularity.groupSize, { fail, name })
    }
    return Int8Tensor.fromHp(weight, { granularity, allowNonFinite })
  }
}
