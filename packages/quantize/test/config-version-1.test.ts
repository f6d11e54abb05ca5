import { FormatError, type Json } from '@ao/base-tensor'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import { describe, expect, it } from 'vitest'
import { configFromJson, configToJson, Int4WeightOnlyConfig } from '../src/index.ts'
import { keepingConfig } from './stand-ins.ts'

const int4 = keepingConfig('Int4WeightOnlyConfig', 2)
const configs = [int4, Int8WeightOnlyConfig, Int8DynamicActivationInt8WeightConfig]
const read = (type: string, data: Json, version?: number): any =>
  configToJson(
    configFromJson(
      { _type: type, ...(version === undefined ? {} : { _version: version }), _data: data },
      { configs },
    ),
  )

describe('version 1 of a config', () => {
  const tiles = { _type: 'TensorCoreTiledLayout', _data: { inner_k_tiles: 8 } }
  it.each<[Json, Json]>([
    [{ group_size: 64 }, { group_size: 64, int4_choose_qparams_algorithm: 'tinygemm' }],
    [{ use_hqq: true, layout: tiles }, { int4_choose_qparams_algorithm: 'hqq' }],
    [
      {
        use_hqq: false,
        zero_point_domain: { _type: 'ZeroPointDomain', _data: 'NONE' },
        preserve_zero: null,
      },
      { int4_choose_qparams_algorithm: 'tinygemm' },
    ],
  ])('of int4 %j', (data, expected) => {
    for (const version of [1, undefined]) {
      const { _version, _data } = read('Int4WeightOnlyConfig', data, version)
      expect(_version).toBe(2)
      expect(_data).toEqual({ int4_packing_format: 'tile_packed_to_4d', ...(expected as object) })
    }
  })

  it('of int8: a group size is PerGroup, none PerRow', () => {
    const granularity = (data: Json): unknown =>
      read('Int8WeightOnlyConfig', data, 1)._data.granularity._type
    expect(granularity({ group_size: 32, set_inductor_config: true })).toBe('PerGroup')
    expect(granularity({ group_size: null })).toBe('PerRow')
    const dynamic = { layout: { _type: 'PlainLayout', _data: {} }, act_mapping_type: 'asymmetric' }
    const { _data } = read('Int8DynamicActivationInt8WeightConfig', dynamic, 1)
    expect(_data.act_mapping_type._data).toBe('ASYMMETRIC')
  })

  it.each<[string, Json, string]>([
    [
      'Int4WeightOnlyConfig',
      { layout: { _type: 'MarlinSparseLayout', _data: {} } },
      'config._data.layout',
    ],
    [
      'Int4WeightOnlyConfig',
      { layout: { ...tiles, _data: { inner_k_tiles: 4 } } },
      'config._data.layout',
    ],
    ['Int4WeightOnlyConfig', { zero_point_domain: 'INT' }, 'config._data.zero_point_domain'],
    ['Int4WeightOnlyConfig', { preserve_zero: true }, 'config._data.preserve_zero'],
    ['Int4WeightOnlyConfig', { use_hqq: 'yes' }, 'config._data.use_hqq'],
    ['Int4WeightOnlyConfig', { groupsize: 32 }, 'config._data.groupsize'],
    ['Int8WeightOnlyConfig', { group_size: 0 }, 'config._data.group_size'],
    [
      'Int8DynamicActivationInt8WeightConfig',
      { layout: { _type: 'SemiSparseLayout', _data: {} } },
      'config._data.layout',
    ],
  ])('%s %j: refused', (type, data, path) => {
    expect(() => read(type, data, 1)).toThrow(`Expected ${path} to be`)
    expect(() => read(type, data, 1)).toThrow(FormatError)
  })
})

describe('version 2 of a config', () => {
  const fromJson = (type: string, data: Json): unknown =>
    configFromJson(
      { _type: type, _version: 2, _data: data },
      {
        configs: [
          Int4WeightOnlyConfig,
          Int8WeightOnlyConfig,
          Int8DynamicActivationInt8WeightConfig,
        ],
        formats: [PLAIN as never],
      },
    )

  it.each<[string, Json, string]>([
    ['Int8WeightOnlyConfig', { granularty: 'x' }, 'group_size, granularity, set_inductor_config'],
    [
      'Int8WeightOnlyConfig',
      { granularity: { _type: 'PerRow', _data: { dimm: 0 } } },
      'config._data.granularity to have dim, and no other, got dimm',
    ],
    ['Int8DynamicActivationInt8WeightConfig', { act_mapping: 'x' }, 'act_mapping_type, '],
    [
      'Int4WeightOnlyConfig',
      { groupsize: 32 },
      'group_size, set_inductor_config, int4_packing_format',
    ],
    ['Int4WeightOnlyConfig', { packing_format: 'plain' }, 'int4_packing_format'],
    ['Int4WeightOnlyConfig', { use_hqq: true }, 'config._data.use_hqq to be false in version 2'],
    ['Int4WeightOnlyConfig', { preserve_zero: true }, 'config._data.preserve_zero to be null'],
  ])('%s %j: refused, with the fields that there are', (type, data, message) => {
    expect(() => fromJson(type, data)).toThrow(message)
    expect(() => fromJson(type, data)).toThrow(FormatError)
  })

  it('passes over what torchao 0.13 to 0.15 wrote beside its fields', () => {
    const layout = { _type: 'TensorCoreTiledLayout', _data: { inner_k_tiles: 8 } }
    const left = { zero_point_domain: { _type: 'ZeroPointDomain', _data: 'NONE' }, layout }
    const int4 = { group_size: 64, ...left, use_hqq: false, preserve_zero: null }
    expect(fromJson('Int4WeightOnlyConfig', int4)).toMatchObject({ groupSize: 64 })
    const dynamic = { layout: { _type: 'PlainLayout', _data: {} }, act_mapping_type: 'asymmetric' }
    expect(fromJson('Int8DynamicActivationInt8WeightConfig', dynamic)).toMatchObject({
      actMappingType: 'ASYMMETRIC',
    })
  })
})

it('reads enums that were given as strings', () => {
  const fields = { int4_packing_format: 'plain', int4_choose_qparams_algorithm: 'hqq' }
  const context = { path: 'config', configs: [], formats: [PLAIN as never] }
  expect(() => Int4WeightOnlyConfig.fromJSON(fields, context)).toThrow(
    'an algorithm that Plain takes',
  )
  const tinygemm = { ...fields, int4_choose_qparams_algorithm: 'tinygemm' }
  expect(Int4WeightOnlyConfig.fromJSON(tinygemm, context).chooseQparamsAlgorithm).toBe('TINYGEMM')
})

/** As much of a format as reading a config asks for. */
const PLAIN = Object.assign(() => undefined, {
  formatName: 'Plain',
  packingFormat: 'PLAIN',
  chooseQparamsAlgorithms: ['TINYGEMM'],
})
