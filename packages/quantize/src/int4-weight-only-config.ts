/** @file The config for int4 weights, in any packing format. */

import {
  booleanCodec,
  decodeFields,
  decodeJson,
  encodeFields,
  enumCodec,
  integerCodec,
  rejectJson,
  skip,
  skipUnlessWeight,
  stringCodec,
  ValueError,
  type ConfigJsonContext,
  type Json,
  type JsonCodec,
  type QuantizationConfig,
  type QuantizeContext,
  type RecordFields,
  type Skipped,
  type Tensor,
  type TensorSubclassType,
  freezeConfig,
  takes,
} from '@ao/base-tensor'
import type { Int4ChooseQparamsAlgorithm, Int4PackingFormat } from '@ao/quantized-linear'

const PACKAGE = '@ao/quantize'
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

interface Fields {
  readonly groupSize: number
  readonly setInductorConfig: boolean
  readonly packingFormat: string
  readonly chooseQparamsAlgorithm: Int4ChooseQparamsAlgorithm
  readonly tilePackedNtile: number
}

/** Int4 weights in groups; activations stay as they are. torchao's `Int4WeightOnlyConfig`. */
export class Int4WeightOnlyConfig implements QuantizationConfig {
  static readonly configName: string = 'Int4WeightOnlyConfig'
  static readonly configVersion: number = 2

  readonly configName: string = Int4WeightOnlyConfig.configName
  readonly packingFormat: Int4PackingFormat
  readonly groupSize: number
  readonly chooseQparamsAlgorithm: Int4ChooseQparamsAlgorithm
  readonly tilePackedNtile: number
  readonly setInductorConfig: boolean

  /**
   * Int4 weights in groups; activations stay as they are.
   *
   * @throws {@link ValueError} without a packing format, and for what it does not take
   */
  constructor(options: Int4WeightOnlyOptions) {
    takes(
      'o{packingFormat groupSize chooseQparamsAlgorithm tilePackedNtile setInductorConfig}?',
      options,
    )
    const packingFormat = checkPackingFormat(options)
    const { groupSize = 128, chooseQparamsAlgorithm = 'TINYGEMM' } = options
    const { tilePackedNtile = 8, setInductorConfig = true } = options
    checkOption('a group size of', GROUP_SIZES, groupSize)
    checkOption('a tile of', [8, 16], tilePackedNtile)
    checkOption(
      `an algorithm that ${packingFormat.formatName} takes:`,
      packingFormat.chooseQparamsAlgorithms,
      chooseQparamsAlgorithm,
    )
    this.packingFormat = packingFormat
    this.groupSize = groupSize
    this.chooseQparamsAlgorithm = chooseQparamsAlgorithm
    this.tilePackedNtile = tilePackedNtile
    this.setInductorConfig = setInductorConfig
    freezeConfig(this)
  }

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
      blockSize: weight.shape.map((_, d) => (d === weight.ndim - 1 ? this.groupSize : 1)),
      chooseQparamsAlgorithm: this.chooseQparamsAlgorithm,
      ntileSize: this.tilePackedNtile,
      allowNonFinite: context?.allowNonFinite,
    })
  }

  toJSON(): Json {
    const { configName, configVersion } = Int4WeightOnlyConfig
    const values = { ...this, packingFormat: this.packingFormat.packingFormat }
    const data = encodeFields(FIELDS, values, 'config')
    return { _type: configName, _version: configVersion, _data: data }
  }

  /**
   * @throws {@link FormatError} for bad fields, and for a packing format of which no class is in
   * `context.formats`
   */
  static fromJSON(data: Json, { path, formats }: ConfigJsonContext): Int4WeightOnlyConfig {
    const fields = decodeFields(FIELDS, data, path)
    const packingFormat = formats.filter(isPackingFormat).find((format) => {
      return format.packingFormat === fields.packingFormat
    })
    if (packingFormat) return new Int4WeightOnlyConfig({ ...fields, packingFormat })
    return rejectJson(
      `${path}.int4_packing_format`,
      `that of a format given (${formats.map(({ formatName }) => formatName).join(', ') || 'none'})`,
      fields.packingFormat,
      'Import the class of that packing format and list it in `formats`.',
    )
  }
}

// torchao takes a name here and has a default; callers without types may expect the same.
function checkPackingFormat(
  options: Partial<Int4WeightOnlyOptions> | undefined,
): Int4PackingFormat {
  const format: unknown = options?.packingFormat
  if (typeof format === 'function' && isPackingFormat(format as unknown as TensorSubclassType)) {
    return format as unknown as Int4PackingFormat
  }
  throw new ValueError({
    package: PACKAGE,
    expected: 'packingFormat to be the class of a packing format, such as Int4Tensor of @ao/int4',
    got: typeof format === 'function' ? format.name : (JSON.stringify(format) ?? 'none'),
  })
}

function isPackingFormat(format: TensorSubclassType): format is Int4PackingFormat {
  return typeof (format as Partial<Int4PackingFormat>).packingFormat === 'string'
}

/** An enum of which any package may bring members. Bare strings are their values: lower case. */
const packingFormatCodec: JsonCodec<string> = {
  encode: (value) => ({ _type: 'Int4PackingFormat', _data: value }),
  decode: (json, path) => {
    if (typeof json === 'string') return json.toUpperCase()
    return enumMember(json, path)
  },
}

function enumMember(json: Json, path: string): string {
  const { _type: type, _data: data } = json as { readonly [key: string]: Json }
  if (type !== 'Int4PackingFormat') rejectJson(path, 'an Int4PackingFormat', json)
  return decodeJson(stringCodec, data ?? null, `${path}._data`)
}

const FIELDS: RecordFields<Fields> = {
  groupSize: { jsonName: 'group_size', codec: integerCodec, fallback: 128 },
  setInductorConfig: { jsonName: 'set_inductor_config', codec: booleanCodec, fallback: true },
  packingFormat: {
    jsonName: 'int4_packing_format',
    codec: packingFormatCodec,
    fallback: 'PLAIN',
  },
  chooseQparamsAlgorithm: {
    jsonName: 'int4_choose_qparams_algorithm',
    codec: /* @__PURE__ */ enumCodec('Int4ChooseQParamsAlgorithm', ['TINYGEMM', 'HQQ']),
    fallback: 'TINYGEMM',
  },
  tilePackedNtile: { jsonName: 'int4_tile_packed_ntile', codec: integerCodec, fallback: 8 },
}

function checkOption<T>(expected: string, allowed: readonly T[], got: T): void {
  if (allowed.includes(got)) return
  throw new ValueError({
    package: PACKAGE,
    expected: `${expected} ${allowed.join(', ')}`,
    got: String(got),
  })
}
