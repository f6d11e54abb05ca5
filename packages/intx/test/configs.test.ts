import {
  FormatError,
  hostFloat32,
  isSkipped,
  meta,
  ShapeError,
  zeros,
  type Json,
  type QuantizationConfig,
  type QuantizationConfigType,
} from '@ao/base-tensor'
import { PerAxis, PerGroup, PerRow } from '@ao/granularity'
import { goldenPath, loadSpecGolden } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  Int4DynamicActivationInt4WeightConfig,
  Int8DynamicActivationInt4WeightConfig,
  Int8DynamicActivationIntxWeightConfig,
  IntxUnpackedToInt8Tensor,
  IntxWeightOnlyConfig,
} from '../src/index.ts'

const CONFIGS: readonly QuantizationConfigType[] = [
  IntxWeightOnlyConfig,
  Int8DynamicActivationIntxWeightConfig,
  Int8DynamicActivationInt4WeightConfig,
  Int4DynamicActivationInt4WeightConfig,
]
const AT = { name: 'layers.0.up.weight' }

function fromJson(json: any): QuantizationConfig {
  const type = CONFIGS.find(({ configName }) => configName === json._type)
  return type!.fromJSON(json._data, { path: 'config._data', configs: CONFIGS, formats: [] })
}

describe('config JSON', () => {
  const names = CONFIGS.map(({ configName }) => configName)
  const stored: Json[] = [
    ...loadSpecGolden('config_json').filter(({ _type }) => names.includes(_type)),
    ...['intx_wo4', 'int8dyn_int4'].map((name) =>
      JSON.parse(readFileSync(goldenPath(`checkpoints/${name}/config.json`), 'utf8')),
    ),
  ]

  it.each(stored.map((json, i) => ({ json, i })))('as torchao writes it, $i', ({ json }) => {
    const config = fromJson(json)
    expect(JSON.stringify(config.toJSON())).toBe(JSON.stringify(json))
  })

  it('of older configs, both ways', () => {
    const layout = { _type: 'PlainLayout', _data: {} }
    const json = new Int8DynamicActivationInt4WeightConfig({ groupSize: 64 }).toJSON() as any
    expect(json).toMatchObject({ _version: 1, _data: { group_size: 64, layout } })
    expect(fromJson(json).toJSON()).toEqual(json)
    expect(fromJson({ ...json, _data: { group_size: null } })).toMatchObject({
      ...{ groupSize: -1, actMappingType: 'ASYMMETRIC' },
    })
    const other = { ...json._data, layout: { _type: 'MarlinQQQLayout', _data: {} } }
    expect(() => fromJson({ ...json, _data: other })).toThrow(FormatError)
    const int4 = new Int4DynamicActivationInt4WeightConfig().toJSON()
    expect(fromJson(int4).toJSON()).toEqual(int4)
  })
})

describe('configs', () => {
  it.each([
    [() => new IntxWeightOnlyConfig({ weightDtype: 'int9' as never }), 'int1 to int8, got int9'],
    [() => new IntxWeightOnlyConfig({ granularity: PerRow() }), 'PerAxis(0) for a scale a row'],
    [
      () => new IntxWeightOnlyConfig({ intxPackingFormat: 'OPAQUE_TORCHAO_AUTO' }),
      'UNPACKED_TO_INT8 as the packing format, got OPAQUE_TORCHAO_AUTO',
    ],
    [
      () => new Int8DynamicActivationIntxWeightConfig({ actMappingType: 'SYMMETRIC' }),
      'ASYMMETRIC as the mapping of activations, got SYMMETRIC',
    ],
    [
      () => new Int8DynamicActivationInt4WeightConfig({ groupSize: 0 }),
      'a positive group size, or -1 for whole rows, got 0',
    ],
    [
      () => new Int4DynamicActivationInt4WeightConfig({ mappingType: 'ASYMMETRIC' }),
      'SYMMETRIC as the mapping of weights, got ASYMMETRIC',
    ],
  ] as const)('refuse what has no meaning, %#', (make, message) => {
    expect(make).toThrow(message)
  })

  it('name the weight whose groups do not fit, or leave it', () => {
    const weight = zeros([2, 48], 'float32', meta)
    const config = new IntxWeightOnlyConfig({ granularity: PerGroup(32) })
    expect(() => config.quantizeTensor(weight, AT)).toThrow(ShapeError)
    expect(() => config.quantizeTensor(weight, AT)).toThrow('K=48 of layers.0.up.weight, got 32')
    const older = new Int8DynamicActivationInt4WeightConfig().quantizeTensor(weight, AT)
    expect(older).toEqual({ skipped: 'in_features 48 is not a multiple of the group size 32' })
    expect(isSkipped(config.quantizeTensor(zeros([4, 1], 'float32', meta), AT))).toBe(true)
  })

  it('of older names give what their successors do', () => {
    const hp = randn([8, 64], { dtype: 'bfloat16' })
    const now = new Int8DynamicActivationIntxWeightConfig({ weightDtype: 'int4' })
    const older = new Int8DynamicActivationInt4WeightConfig()
    const [a, b] = [now, older].map((config) => config.quantizeTensor(hp, AT)) as [any, any]
    expect(String(a)).toBe(String(b))
    expect(elements(a.qdata)).toEqual(elements(b.qdata))
    const int4 = new Int4DynamicActivationInt4WeightConfig().quantizeTensor(hp, AT) as any
    expect([int4.scale.dtype, int4.activationQuantization]).toEqual([
      ...['float32', 'int4_sym_per_token'],
    ])
  })
})

describe('fromHp', () => {
  const hp = randn([8, 64])

  it('fits scales by HQQ, of symmetric codes alone', () => {
    const options = { targetDtype: 'int3', granularity: PerGroup(32) } as const
    const errorOf = (weight: IntxUnpackedToInt8Tensor): number =>
      sqnr(hostFloat32(hp), hostFloat32(weight.dequantize()))
    const plain = IntxUnpackedToInt8Tensor.fromHp(hp, options)
    const hqq = { ...options, chooseQparamsAlgorithm: 'HQQ_SCALE_ONLY' } as const
    const fitted = IntxUnpackedToInt8Tensor.fromHp(hp, hqq)
    expect(fitted.qdata.dtype).toBe('int8')
    expect(errorOf(fitted)).toBeGreaterThan(errorOf(plain))
    const asymmetric = { ...hqq, mappingType: 'ASYMMETRIC' } as const
    expect(() => IntxUnpackedToInt8Tensor.fromHp(hp, asymmetric)).toThrow('SYMMETRIC mapping with')
  })

  it('takes scales that are known', () => {
    const chosen = IntxUnpackedToInt8Tensor.fromHp(hp, { targetDtype: 'int4' })
    const { scale, zeroPoint } = chosen
    const known = { targetDtype: 'int4', scale, zeroPoint } as const
    const again = IntxUnpackedToInt8Tensor.fromHp(hp, known)
    expect(elements(again.qdata)).toEqual(elements(chosen.qdata))
    const both = { ...known, chooseQparamsAlgorithm: 'AFFINE' } as const
    expect(() => IntxUnpackedToInt8Tensor.fromHp(hp, both)).toThrow('no chooseQparamsAlgorithm')
  })

  it('refuses int1 without clipping error, which has no positive code', () => {
    const options = { targetDtype: 'int1', mappingType: 'SYMMETRIC_NO_CLIPPING_ERR' } as const
    expect(() => IntxUnpackedToInt8Tensor.fromHp(hp, options)).toThrow('positive codes')
    const other = { granularity: PerAxis(1) }
    expect(() => IntxUnpackedToInt8Tensor.fromHp(hp, other)).toThrow('got {"type":"PerAxis"')
  })

  it('is checked when it is put together', () => {
    const weight = IntxUnpackedToInt8Tensor.fromHp(hp)
    const { qdata, scale, zeroPoint, blockSize, dtype } = weight
    const fields = { qdata, scale, zeroPoint, blockSize, dtype, targetDtype: 'int8' } as const
    const build = (change: object) => () => new IntxUnpackedToInt8Tensor({ ...fields, ...change })
    expect(build({})).not.toThrow()
    expect(build({ blockSize: [1, 32] })).toThrow('Expected scale of shape [8, 2], got [8, 1]')
    expect(build({ blockSize: [1, 3] })).toThrow('a block size that divides the shape [8, 64]')
    expect(build({ qdata: scale })).toThrow('Expected qdata of int8 or int32, got float32')
    expect(build({ targetDtype: 'uint4' })).toThrow('a targetDtype of int1 to int8, got uint4')
    expect(build({ zeroPoint: undefined })).toThrow('zeroPoint')
  })
})
