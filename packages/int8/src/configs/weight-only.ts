/** @file The config for int8 weights and activations in full precision. */

import {
  booleanCodec,
  decodeFields,
  encodeFields,
  integerCodec,
  optionalCodec,
  ShapeError,
  ValueError,
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
import { describeGranularity, granularityCodec, PerRow, type Granularity } from '@ao/granularity'
import { fail } from '../errors.ts'
import { skipReason } from './skip-reason.ts'
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

const FIELDS: RecordFields<Fields> = {
  groupSize: {
    jsonName: 'group_size',
    codec: /* @__PURE__ */ optionalCodec(integerCodec),
    fallback: undefined,
  },
  granularity: {
    jsonName: 'granularity',
    codec: granularityCodec,
    fallback: /* @__PURE__ */ PerRow(),
  },
  setInductorConfig: {
    jsonName: 'set_inductor_config',
    codec: booleanCodec,
    fallback: true,
  },
}

/** Int8 weights; activations stay as they are. torchao's `Int8WeightOnlyConfig`. */
export class Int8WeightOnlyConfig implements QuantizationConfig {
  static readonly configName: string = 'Int8WeightOnlyConfig'
  static readonly configVersion: number = 2

  readonly configName: string = Int8WeightOnlyConfig.configName
  readonly granularity: Granularity
  readonly setInductorConfig: boolean

  /**
   * Int8 weights; activations stay as they are.
   *
   * @throws {@link ValueError} unless granularity is PerRow, PerTensor or PerGroup
   */
  constructor(options: Int8WeightOnlyOptions = {}) {
    takes('o{granularity groupSize setInductorConfig}?', options)
    const { granularity = PerRow(), groupSize, setInductorConfig = true } = options
    if (groupSize !== undefined) throw usePerGroup(groupSize)
    if (!['PerRow', 'PerTensor', 'PerGroup'].includes(granularity.type)) {
      throw fail(
        ValueError,
        'PerRow, PerTensor or PerGroup as the granularity of int8 weights',
        describeGranularity(granularity),
      )
    }
    this.granularity = granularity
    this.setInductorConfig = setInductorConfig
    freezeConfig(this)
  }

  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, { name, allowNonFinite }: QuantizeContext): Int8Tensor | Skipped {
    const skipped = skipReason(weight)
    if (skipped) return skipped
    if (this.granularity.type === 'PerGroup') {
      checkGroupSize(name, weight.shape.at(-1) as number, this.granularity.groupSize)
    }
    return Int8Tensor.fromHp(weight, { granularity: this.granularity, allowNonFinite })
  }

  toJSON(): Json {
    const { configName, configVersion } = Int8WeightOnlyConfig
    const data = encodeFields(FIELDS, { ...this, groupSize: undefined }, 'config')
    return { _type: configName, _version: configVersion, _data: data }
  }

  /** @throws {@link FormatError} or {@link ValueError} for fields that the config does not take */
  static fromJSON(data: Json, { path }: ConfigJsonContext): Int8WeightOnlyConfig {
    const { groupSize, ...options } = decodeFields(FIELDS, data, path)
    if (groupSize !== undefined) throw usePerGroup(groupSize)
    return new Int8WeightOnlyConfig(options)
  }
}

function usePerGroup(groupSize: number): ValueError {
  return fail(
    ValueError,
    'a granularity instead of a group size, which torchao took until version 1 of the config',
    `group size ${groupSize}`,
    `Use granularity PerGroup(${groupSize}).`,
  )
}

function checkGroupSize(name: string, k: number, groupSize: number): void {
  if (k % groupSize === 0) return
  const sizes = groupSizesFor(k, groupSize)
  throw fail(
    ShapeError,
    `the group size to divide K=${k} of ${name}`,
    groupSize,
    `Use ${sizes.slice(0, -1).join(', ')} or ${sizes.at(-1)}.`,
  )
}

/** Divisors of `k` around `groupSize`: up to two below and three above. */
function groupSizesFor(k: number, groupSize: number): number[] {
  const divisors = Array.from({ length: k }, (_, i) => i + 1).filter((size) => k % size === 0)
  const above = divisors.findIndex((size) => size > groupSize)
  const middle = above < 0 ? divisors.length : above
  return divisors.slice(Math.max(middle - 2, 0), middle + 3)
}
