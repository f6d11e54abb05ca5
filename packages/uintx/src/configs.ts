/** @file The configs for weights as gemlite packs them, and for weights in shards. */

import {
  booleanCodec,
  decodeJson,
  defineConfig,
  integerCodec,
  narrowDTypeCodec,
  skip,
  takes,
  ValueError,
  type ConfigBase,
  type JsonCodec,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { checkGroupSize } from '@ao/granularity'
import { skipUnlessRows } from '@ao/quantized-linear'
import { checkUintxOptions, UIntxBitPackedTensor } from './bit-packed-tensor.ts'
import type { PackingBitwidth } from './gemlite.ts'
import { fail } from './layout.ts'
import { UintxTensor } from './uintx-tensor.ts'

/** Options of {@link UIntxWeightOnlyConfig}. */
export interface UIntxWeightOnlyOptions {
  /** Codes of a row that share a scale: 32, 64, ... 1024, or -1 for whole rows, null in JSON; 128 unless given. */
  readonly groupSize?: number
  /** 4, or 8, which goes with whole rows; 4 unless given. */
  readonly bitWidth?: number
  /** Bits of a number that holds codes in files: 8, 16, 32, or null for gemlite's choice, 32. Null unless given. */
  readonly packingBitwidth?: number | null
  /** Kept for torchao; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
}

type Fields = Required<UIntxWeightOnlyOptions>

/** `none` is null in JSON. */
/* @__NO_SIDE_EFFECTS__ */
function nullable<None extends number | null>(none: None): JsonCodec<number | None> {
  return {
    encode: (value) => (value === none ? null : value),
    decode: (json, path) => (json === null ? none : decodeJson(integerCodec, json, path)),
  }
}

const Base: ConfigBase<Fields, UIntxWeightOnlyOptions> = /* @__PURE__ */ defineConfig<
  Fields,
  UIntxWeightOnlyOptions
>({
  name: 'UIntxWeightOnlyConfig',
  version: 1,
  fail,
  options: {
    groupSize: { codec: /* @__PURE__ */ nullable(-1), fallback: 128 },
    bitWidth: { codec: integerCodec, fallback: 4 },
    packingBitwidth: { codec: /* @__PURE__ */ nullable(null), fallback: null },
    setInductorConfig: { codec: booleanCodec, fallback: true },
  },
  check: ({ bitWidth, groupSize, packingBitwidth }) =>
    checkUintxOptions(bitWidth, groupSize, packingBitwidth),
})

/**
 * Weights of 4 bits in groups, chosen by HQQ, or of 8 bits around zero with a scale a row, packed as gemlite does.
 * torchao's `UIntxWeightOnlyConfig`.
 *
 * @throws {@link ValueError} for another number of bits or group size, and for groups of 8-bit codes
 */
export class UIntxWeightOnlyConfig extends Base implements QuantizationConfig {
  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, context: QuantizeContext): UIntxBitPackedTensor | Skipped {
    takes('to<name:x>', weight, context)
    const { name, allowNonFinite } = context
    const skipped = skipUnlessRows(weight)
    if (skipped) return skipped
    if (weight.ndim !== 2) return skip(`it holds experts, and gemlite packs weights (N, K)`)
    const k = weight.shape[1] as number
    if (k % 32 !== 0) return skip(`in_features ${k} is not a multiple of 32`)
    const { groupSize, bitWidth, packingBitwidth } = this
    if (groupSize !== -1) checkGroupSize(k, groupSize, { fail, name })
    return UIntxBitPackedTensor.fromHp(weight, {
      ...{ groupSize, bitWidth: bitWidth as 4 | 8, allowNonFinite },
      packingBitwidth: packingBitwidth as PackingBitwidth | null,
    })
  }
}

/** Options of {@link UIntXWeightOnlyConfig}. */
export interface UIntXWeightOnlyOptions {
  /** uint1 to uint7. */
  readonly dtype: UintxDType
  /** Codes of a row that share a scale; 64 unless given. */
  readonly groupSize?: number
  /** The dimension to pack along in files; -1, the last, unless given. */
  readonly packDim?: number
  /** Whether HQQ chooses scales and zero points; false unless given. */
  readonly useHqq?: boolean
  /** Kept for torchao; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
}

/** Which codes a weight has. */
export type UintxDType = `uint${1 | 2 | 3 | 4 | 5 | 6 | 7}`

const isUintxDType = (dtype: string): dtype is UintxDType => /^uint[1-7]$/.test(dtype)

const OlderBase: ConfigBase<
  Required<UIntXWeightOnlyOptions>,
  UIntXWeightOnlyOptions
> = /* @__PURE__ */ defineConfig<Required<UIntXWeightOnlyOptions>, UIntXWeightOnlyOptions>({
  name: 'UIntXWeightOnlyConfig',
  version: 1,
  fail,
  options: {
    dtype: { codec: /* @__PURE__ */ narrowDTypeCodec(isUintxDType), fallback: 'uint4' },
    groupSize: { codec: integerCodec, fallback: 64 },
    packDim: { codec: integerCodec, fallback: -1 },
    useHqq: { codec: booleanCodec, fallback: false },
    setInductorConfig: { codec: booleanCodec, fallback: true },
  },
  check: ({ dtype }) => {
    if (!isUintxDType(dtype)) throw fail(ValueError, 'a dtype of uint1 to uint7', dtype)
  },
})

/**
 * Weights of 1 to 7 bits in groups, each with a zero point. torchao's `UIntXWeightOnlyConfig`, until 0.16.
 *
 * @throws {@link ValueError} for another dtype
 */
export class UIntXWeightOnlyConfig extends OlderBase implements QuantizationConfig {
  /** @throws {@link ShapeError} when the group size does not divide the weight's last dimension */
  quantizeTensor(weight: Tensor, context: QuantizeContext): UintxTensor | Skipped {
    takes('to<name:x>', weight, context)
    const { name, allowNonFinite } = context
    const skipped = skipUnlessRows(weight)
    if (skipped) return skipped
    const { dtype, groupSize, packDim, useHqq } = this
    const packed = weight.shape.at(packDim)
    if (packed === undefined || packed % 8 !== 0) {
      return skip(`its size along dimension ${packDim} is not a multiple of 8`)
    }
    if (useHqq && weight.ndim !== 2) return skip('it holds experts, and HQQ takes weights (N, K)')
    checkGroupSize(weight.shape.at(-1) as number, groupSize, { fail, name })
    const bitWidth = Number(dtype.slice(4))
    return UintxTensor.fromHp(weight, { bitWidth, groupSize, packDim, useHqq, allowNonFinite })
  }
}
