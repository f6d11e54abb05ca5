/** @file The config for int4 weights, in any packing format. */

import {
  booleanCodec,
  decodeJson,
  defineConfig,
  enumCodec,
  integerCodec,
  rejectJson,
  skip,
  skipUnlessWeight,
  stringCodec,
  takes,
  ValueError,
  type ConfigBase,
  type ConfigJsonContext,
  type Json,
  type JsonCodec,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
  type TensorSubclassType,
} from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4ChooseQparamsAlgorithm, Int4PackingFormat } from '@ao/quantized-linear'
import { fail } from './errors.ts'

const GROUP_SIZES: readonly number[] = [32, 64, 128, 256]

/** Options of {@link Int4WeightOnlyConfig}. */
export interface Int4WeightOnlyOptions {
  /** The format's class, such as Int4Tensor or Int4PlainInt32Tensor. */
  readonly packingFormat: Int4PackingFormat
  /** Neighbours along K that share a scale: 32, 64, 128 or 256; 128 unless given. */
  readonly groupSize?: number
  /** How scales and zero points are chosen; TINYGEMM unless given. Formats say which they take. */
  readonly chooseQparamsAlgorithm?: Int4ChooseQparamsAlgorithm
  /** Rows of a tile, for formats that have tiles: 8 or 16; 8 unless given. */
  readonly tilePackedNtile?: number
  /** Kept for torchao, which it tells to tune its compiler; without effect here. True unless given. */
  readonly setInductorConfig?: boolean
}

type Fields = Required<Int4WeightOnlyOptions>

const Base: ConfigBase<Fields, Int4WeightOnlyOptions> = /* @__PURE__ */ defineConfig<
  Fields,
  Int4WeightOnlyOptions
>({
  name: 'Int4WeightOnlyConfig',
  version: 2,
  fail,
  options: {
    groupSize: { codec: integerCodec, fallback: 128 },
    setInductorConfig: { codec: booleanCodec, fallback: true },
    packingFormat: {
      codec: packingFormatCodec,
      jsonName: 'int4_packing_format',
      jsonFallback: 'plain',
    },
    chooseQparamsAlgorithm: {
      codec: /* @__PURE__ */ enumCodec('Int4ChooseQParamsAlgorithm', ['TINYGEMM', 'HQQ']),
      jsonName: 'int4_choose_qparams_algorithm',
      fallback: 'TINYGEMM',
    },
    tilePackedNtile: { codec: integerCodec, jsonName: 'int4_tile_packed_ntile', fallback: 8 },
  },
  check: ({ packingFormat, groupSize, tilePackedNtile, chooseQparamsAlgorithm }) => {
    checkPackingFormat(packingFormat)
    checkOption('a group size of', GROUP_SIZES, groupSize)
    checkOption('a tile of', [8, 16], tilePackedNtile)
    checkOption(
      `an algorithm that ${packingFormat.formatName} takes:`,
      packingFormat.chooseQparamsAlgorithms,
      chooseQparamsAlgorithm,
    )
  },
})

/**
 * Int4 weights in groups; activations stay as they are. torchao's `Int4WeightOnlyConfig`.
 *
 * @throws {@link ValueError} without a packing format, and for what it does not take
 */
export class Int4WeightOnlyConfig extends Base implements QuantizationConfig {
  /** Skips weights whose K the group size does not divide, as torchao does. */
  quantizeTensor(weight: Tensor, context?: QuantizeContext): Tensor | Skipped {
    takes('to<name:x>?', weight, context)
    const skipped = skipUnlessWeight(weight)
    if (skipped) return skipped
    const k = weight.shape.at(-1) as number
    if (k % this.groupSize !== 0) {
      return skip(`its K=${k} is no multiple of the group size ${this.groupSize}`)
    }
    return this.packingFormat.fromHp(weight, {
      granularity: PerGroup(this.groupSize),
      chooseQparamsAlgorithm: this.chooseQparamsAlgorithm,
      ntileSize: this.tilePackedNtile,
      allowNonFinite: context?.allowNonFinite,
    })
  }
}

// torchao takes a name here and has a default; callers without types may expect the same.
function checkPackingFormat(format: unknown): void {
  if (typeof format === 'function' && isPackingFormat(format as unknown as TensorSubclassType))
    return
  throw fail(
    ValueError,
    'packingFormat to be the class of a packing format, such as Int4Tensor of @ao/int4',
    typeof format === 'function' ? format.name : (JSON.stringify(format) ?? 'none'),
  )
}

function isPackingFormat(format: TensorSubclassType): format is Int4PackingFormat {
  return typeof (format as Partial<Int4PackingFormat>).packingFormat === 'string'
}

/**
 * An enum of which any package may bring members: the classes in `formats`. Bare strings are their values:
 * lower case.
 */
function packingFormatCodec({ formats }: ConfigJsonContext): JsonCodec<Int4PackingFormat> {
  return {
    encode: ({ packingFormat }) => ({ _type: 'Int4PackingFormat', _data: packingFormat }),
    decode: (json, path) => {
      const name = typeof json === 'string' ? json.toUpperCase() : enumMember(json, path)
      const format = formats.filter(isPackingFormat).find((one) => one.packingFormat === name)
      if (format) return format
      const names = formats.map(({ formatName }) => formatName).join(', ')
      const cure = 'Import the class of that packing format and list it in `formats`.'
      return rejectJson(path, `that of a format given (${names || 'none'})`, name, cure)
    },
  }
}

function enumMember(json: Json, path: string): string {
  const { _type: type, _data: data } = json as { readonly [key: string]: Json }
  if (type !== 'Int4PackingFormat') rejectJson(path, 'an Int4PackingFormat', json)
  return decodeJson(stringCodec, data ?? null, `${path}._data`)
}

function checkOption<T>(expected: string, allowed: readonly T[], got: T): void {
  if (allowed.includes(got)) return
  throw fail(ValueError, `${expected} ${allowed.join(', ')}`, got)
}
