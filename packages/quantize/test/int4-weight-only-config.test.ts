import { readFileSync } from 'node:fs'
import {
  asDense,
  meta,
  TensorSubclass,
  zeros,
  type DenseTensor,
  type Json,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import type { Int4ChooseQparamsAlgorithm, Int4Codes, Int4FromHpOptions } from '@ao/quantized-linear'
import { goldenPath } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { configFromJson, configToJson, Int4WeightOnlyConfig } from '../src/index.ts'

/** A packing format that only remembers what it was asked for. */
class Tiles extends TensorSubclass {
  static override readonly formatName: string = 'Tiles'
  static override readonly tensorDataNames: readonly string[] = ['qdata']
  declare readonly qdata: DenseTensor
  static readonly packingFormat: string = 'TILE_PACKED_TO_4D'
  static readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[] = [
    'TINYGEMM',
    'HQQ',
  ]
  static asked: Int4FromHpOptions | undefined

  constructor(fields: { readonly qdata: DenseTensor }) {
    super(fields, fields.qdata.shape, 'float32')
  }

  static fromHp(weight: Tensor, options?: Int4FromHpOptions): Tiles {
    Tiles.asked = options
    return new Tiles({ qdata: zeros(weight.shape, 'int8', meta) })
  }

  static fromCodes({ codes }: Int4Codes): Tiles {
    return new Tiles({ qdata: asDense(codes) })
  }

  toCodes(): Int4Codes {
    const scale = zeros([2, 4])
    return { codes: this.qdata, scale, zeroPoint: undefined, groupSize: 32, dtype: 'float32' }
  }

  override dequantize(): DenseTensor {
    return zeros(this.shape, this.dtype, meta)
  }
}

/** The same for a format that takes TINYGEMM only. */
class Plain extends Tiles {
  static override readonly formatName: string = 'Plain'
  static override readonly packingFormat: string = 'PLAIN'
  static override readonly chooseQparamsAlgorithms: readonly Int4ChooseQparamsAlgorithm[] = [
    'TINYGEMM',
  ]
}

const configs = [Int4WeightOnlyConfig]
const stored = (checkpoint: string): Json =>
  JSON.parse(readFileSync(goldenPath(`checkpoints/${checkpoint}/config.json`), 'utf8')) as Json

describe('Int4WeightOnlyConfig', () => {
  it('asks the packing format that it was given', () => {
    const config = new Int4WeightOnlyConfig({
      packingFormat: Tiles,
      groupSize: 32,
      chooseQparamsAlgorithm: 'HQQ',
      tilePackedNtile: 16,
    })
    const weight = config.quantizeTensor(zeros([2, 4, 64], 'bfloat16'))
    expect(String((weight as Tensor).shape)).toBe('2,4,64')
    expect(Tiles.asked).toEqual({
      granularity: PerGroup(32),
      chooseQparamsAlgorithm: 'HQQ',
      ntileSize: 16,
    })
  })

  it('says why it leaves a weight', () => {
    const config = new Int4WeightOnlyConfig({ packingFormat: Plain })
    const quantized = new Tiles({ qdata: zeros([4, 128], 'int8') })
    const weights = [
      zeros([4, 100]),
      zeros([128]),
      zeros([0, 128]),
      zeros([4, 128], 'int8'),
      quantized,
    ]
    expect(weights.map((weight) => config.quantizeTensor(weight))).toMatchInlineSnapshot(`
      [
        {
          "skipped": "its K=100 is no multiple of the group size 128",
        },
        {
          "skipped": "its shape [128] is not (N, K) or (E, N, K)",
        },
        {
          "skipped": "its shape [0, 128] has no elements",
        },
        {
          "skipped": "its dtype int8 is not floating",
        },
        {
          "skipped": "it is quantized already",
        },
      ]
    `)
  })

  it('needs the class of a packing format', () => {
    const make = (options?: object) => () => new Int4WeightOnlyConfig(options as never)
    const expected =
      '[@ao/quantize] Expected packingFormat to be the class of a packing format, such as Int4Tensor of @ao/int4, '
    expect(make()).toThrow(`${expected}got none.`)
    expect(make({ groupSize: 32 })).toThrow(`${expected}got none.`)
    expect(make({ packingFormat: 'plain' })).toThrow(`${expected}got "plain".`)
    expect(make({ packingFormat: Error })).toThrow(`${expected}got Error.`)
  })

  it('refuses what no kernel takes', () => {
    const packingFormat = Plain
    expect(
      () => new Int4WeightOnlyConfig({ packingFormat, groupSize: 48 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/quantize] Expected a group size of 32, 64, 128, 256, got 48.]`,
    )
    expect(
      () => new Int4WeightOnlyConfig({ packingFormat, chooseQparamsAlgorithm: 'HQQ' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/quantize] Expected an algorithm that Plain takes: TINYGEMM, got HQQ.]`,
    )
    expect(
      () => new Int4WeightOnlyConfig({ packingFormat, tilePackedNtile: 4 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/quantize] Expected a tile of 8, 16, got 4.]`,
    )
  })

  it("reads and writes torchao's JSON by the formats given", () => {
    const plain = configFromJson(stored('int4_plain'), { configs, formats: [Tiles, Plain] })
    expect(plain).toMatchObject({ packingFormat: Plain, groupSize: 64 })
    expect(JSON.stringify(configToJson(plain))).toBe(JSON.stringify(stored('int4_plain')))
    // torchao keeps an enum that was given as a string; it means the same.
    const tiles = configFromJson(stored('tile4d'), { configs, formats: [Plain, Tiles] })
    expect(tiles).toMatchObject({ packingFormat: Tiles, groupSize: 64 })
    expect(() =>
      configFromJson(stored('tile4d'), { configs, formats: [Plain] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[FormatError: [@ao/base-tensor] Expected config._data.int4_packing_format to be that of a format given (Plain), got "TILE_PACKED_TO_4D". Import the class of that packing format and list it in \`formats\`.]`,
    )
    const odd = { _type: 'Int4WeightOnlyConfig', _version: 2, _data: { int4_packing_format: 7 } }
    expect(() => configFromJson(odd, { configs })).toThrow('int4_packing_format')
  })
})
