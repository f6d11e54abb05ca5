/** @file The config for int4 weights, in any packing format. */

import {
  booleanCodec,
  defineConfig,
  enumCodec,
  integerCodec,
  skip,
  skipUnlessWeight,
  takes,
  ValueError,
  type ConfigBase,
  type QuantizationConfig,
  type QuantizeContext,
  type Skipped,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import {
  checkPackingFormat,
  packingFormatCodec,
  type Int4ChooseQparamsAlgorithm,
  type Int4PackingFormat,
} from '@ao/quantized-linear'
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
    checkPackingFormat(packingFormat, fail)
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

function checkOption<T>(expected: string, allowed: readonly T[], got: T): void {
  if (allowed.includes(got)) return
  throw fail(ValueError, `${expected} ${allowed.join(', ')}`, got)
}
