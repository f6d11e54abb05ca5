/** @file Configs that torchao had until its release 0.15, with their meaning, for models that name them. */

import {
  booleanCodec,
  decodeJson,
  defineConfig,
  integerCodec,
  isJsonObject,
  rejectJson,
  skip,
  takes,
  ValueError,
  type ConfigBase,
  type ConfigOption,
  type JsonCodec,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { PerAxis, PerGroup } from '@ao/granularity'
import { mappingTypeCodec, type MappingType } from '@ao/quant-primitives'
import { skipUnlessRows } from '@ao/quantized-linear'
import { fail } from '../layout.ts'
import { IntxUnpackedToInt8Tensor } from '../tensor.ts'

/** Options of {@link Int8DynamicActivationInt4WeightConfig}. */
export interface Int8DynamicActivationInt4WeightOptions {
  /** Codes of a row that share a scale; 32 unless given, the whole row where -1, as null in JSON is. */
  readonly groupSize?: number
  /** Kept for torchao: PlainLayout, the only one whose weights are as they are here. */
  readonly layout?: 'PlainLayout'
  /** Of weights; SYMMETRIC unless given. */
  readonly mappingType?: MappingType
  /** Of activations: ASYMMETRIC. */
  readonly actMappingType?: MappingType
  /** Kept for torchao; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
}

/** Options of {@link Int4DynamicActivationInt4WeightConfig}. */
export interface Int4DynamicActivationInt4WeightOptions {
  /** Kept for torchao: CutlassInt4PackedLayout. */
  readonly layout?: 'CutlassInt4PackedLayout'
  /** Of weights: SYMMETRIC. */
  readonly mappingType?: MappingType
  /** Of activations: SYMMETRIC. */
  readonly actMappingType?: MappingType
  /** Kept for torchao; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
}

type Int8Fields = Required<Int8DynamicActivationInt4WeightOptions>
type Int4Fields = Required<Int4DynamicActivationInt4WeightOptions>

const TRUE: ConfigOption<boolean> = { codec: booleanCodec, fallback: true }
const mapping = (fallback: MappingType): ConfigOption<MappingType> => ({
  codec: mappingTypeCodec,
  fallback,
})

/** A layout without fields, of one name. */
/* @__NO_SIDE_EFFECTS__ */
function layoutOption<Name extends string>(name: Name): ConfigOption<Name> {
  const codec: JsonCodec<Name> = {
    encode: () => ({ _type: name, _data: {} }),
    decode: (json, path) => {
      const fits = json === null || (isJsonObject(json) && json['_type'] === name)
      return fits ? name : rejectJson(path, name, json)
    },
  }
  return { codec, fallback: name }
}

const groupSizeCodec: JsonCodec<number> = {
  encode: (size) => size,
  decode: (json, path) => (json === null ? -1 : decodeJson(integerCodec, json, path)),
}

const Int8Base: ConfigBase<Int8Fields, Int8DynamicActivationInt4WeightOptions> =
  /* @__PURE__ */ defineConfig<Int8Fields, Int8DynamicActivationInt4WeightOptions>({
    name: 'Int8DynamicActivationInt4WeightConfig',
    version: 1,
    fail,
    options: {
      groupSize: { codec: groupSizeCodec, fallback: 32 },
      layout: /* @__PURE__ */ layoutOption('PlainLayout'),
      mappingType: /* @__PURE__ */ mapping('SYMMETRIC'),
      actMappingType: /* @__PURE__ */ mapping('ASYMMETRIC'),
      setInductorConfig: TRUE,
    },
    check: ({ actMappingType, groupSize }) => {
      checkMapping('ASYMMETRIC', actMappingType, 'activations')
      if (groupSize === -1 || groupSize > 0) return
      throw fail(ValueError, 'a positive group size, or -1 for whole rows', groupSize)
    },
  })

/**
 * Int4 weights in groups, and activations quantized to int8 as they come: the older name of
 * {@link Int8DynamicActivationIntxWeightConfig} with int4. torchao's `Int8DynamicActivationInt4WeightConfig`.
 *
 * @throws {@link ValueError} for symmetric activations
 */
export class Int8DynamicActivationInt4WeightConfig extends Int8Base implements QuantizationConfig {
  quantizeTensor(weight: Tensor, context: QuantizeContext): IntxUnpackedToInt8Tensor | Skipped {
    takes('to<name:x>', weight, context)
    const { groupSize, mappingType } = this
    const skipped = skipUnlessRows(weight)
    if (skipped) return skipped
    const k = weight.shape.at(-1) as number
    const isWhole = groupSize === -1
    if (!isWhole && k % groupSize !== 0) {
      return skip(`in_features ${k} is not a multiple of the group size ${groupSize}`)
    }
    return IntxUnpackedToInt8Tensor.fromHp(weight, {
      targetDtype: 'int4',
      granularity: isWhole ? PerAxis(0) : PerGroup(groupSize),
      mappingType,
      activationQuantization: 'int8_asym_per_token',
      allowNonFinite: context.allowNonFinite,
    })
  }
}

const Int4Base: ConfigBase<Int4Fields, Int4DynamicActivationInt4WeightOptions> =
  /* @__PURE__ */ defineConfig<Int4Fields, Int4DynamicActivationInt4WeightOptions>({
    name: 'Int4DynamicActivationInt4WeightConfig',
    version: 1,
    fail,
    options: {
      layout: /* @__PURE__ */ layoutOption('CutlassInt4PackedLayout'),
      mappingType: /* @__PURE__ */ mapping('SYMMETRIC'),
      actMappingType: /* @__PURE__ */ mapping('SYMMETRIC'),
      setInductorConfig: TRUE,
    },
    check: ({ mappingType, actMappingType }) => {
      checkMapping('SYMMETRIC', mappingType, 'weights')
      checkMapping('SYMMETRIC', actMappingType, 'activations')
    },
  })

/**
 * Int4 weights with a scale a row, and activations quantized to int4, around zero, as they come. torchao's
 * `Int4DynamicActivationInt4WeightConfig`, which it has no more: it cannot read what this makes.
 *
 * @throws {@link ValueError} for asymmetric weights or activations
 */
export class Int4DynamicActivationInt4WeightConfig extends Int4Base implements QuantizationConfig {
  quantizeTensor(weight: Tensor, context: QuantizeContext): IntxUnpackedToInt8Tensor | Skipped {
    takes('to<name:x>', weight, context)
    return (
      skipUnlessRows(weight) ??
      IntxUnpackedToInt8Tensor.fromHp(weight, {
        targetDtype: 'int4',
        granularity: PerAxis(0),
        scaleDtype: 'float32',
        activationQuantization: 'int4_sym_per_token',
        allowNonFinite: context.allowNonFinite,
      })
    )
  }
}

function checkMapping(expected: MappingType, got: MappingType, what: string): void {
  if (got !== expected) throw fail(ValueError, `${expected} as the mapping of ${what}`, got)
}
