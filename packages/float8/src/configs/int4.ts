/** @file The config for int4 weights that meet float8 activations. */

import {
  decodeJson,
  defineConfig,
  skip,
  skipUnlessWeight,
  takes,
  ValueError,
  type ConfigBase,
  type ConfigJsonContext,
  type JsonCodec,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { checkPackingFormat, packingFormatCodec, type Int4Float8Format } from '@ao/quantized-linear'
import { fail } from '../errors.ts'

const GROUP_SIZE = 128

/** Options of {@link Float8DynamicActivationInt4WeightConfig}. */
export interface Float8DynamicActivationInt4WeightOptions {
  /** The class of an int4 format that takes float8 inputs: Int4Tensor or Int4PreshuffledTensor. */
  readonly packingFormat: Int4Float8Format
}

const Base: ConfigBase<
  Float8DynamicActivationInt4WeightOptions,
  Float8DynamicActivationInt4WeightOptions
> = /* @__PURE__ */ defineConfig<
  Float8DynamicActivationInt4WeightOptions,
  Float8DynamicActivationInt4WeightOptions
>({
  name: 'Float8DynamicActivationInt4WeightConfig',
  version: 1,
  fail,
  options: {
    packingFormat: {
      codec: bareName,
      jsonName: 'int4_packing_format',
      jsonFallback: 'preshuffled',
    },
  },
  check: ({ packingFormat }) => {
    checkPackingFormat(packingFormat, fail)
    if (packingFormat.activationDtypes?.includes('float8_e4m3fn')) return
    throw fail(
      ValueError,
      'a packing format that takes float8 inputs',
      packingFormat.formatName,
      'Use Int4Tensor or Int4PreshuffledTensor.',
    )
  },
})

/**
 * Int4 weights in groups of 128 around zero, and activations rounded to float8_e4m3fn by a scale for each row.
 * torchao's `Float8DynamicActivationInt4WeightConfig`.
 *
 * @throws {@link ValueError} for a packing format that takes no float8 inputs
 */
export class Float8DynamicActivationInt4WeightConfig extends Base implements QuantizationConfig {
  /** Skips weights whose K is no multiple of 128. */
  quantizeTensor(weight: Tensor, context?: QuantizeContext): Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    const skipped = skipUnlessWeight(weight)
    if (skipped) return skipped
    const k = weight.shape.at(-1) as number
    if (k % GROUP_SIZE !== 0)
      return skip(`its K=${k} is no multiple of the group size ${GROUP_SIZE}`)
    return this.packingFormat.fromHp(weight, {
      granularity: PerGroup(GROUP_SIZE),
      activationDtype: 'float8_e4m3fn',
      allowNonFinite: context?.allowNonFinite,
    })
  }
}

/** torchao writes its default, a bare name. */
function bareName(context: ConfigJsonContext): JsonCodec<Int4Float8Format> {
  const codec = packingFormatCodec(context)
  return {
    encode: ({ packingFormat }) => packingFormat.toLowerCase(),
    decode: (json, path) => decodeJson(codec, json, path) as Int4Float8Format, // as `check` finds out
  }
}
