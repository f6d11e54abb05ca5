/** @file The config for weights as gemlite packs them. */

import {
  booleanCodec,
  decodeJson,
  defineConfig,
  integerCodec,
  skip,
  takes,
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
