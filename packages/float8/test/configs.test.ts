import {
  isSkipped,
  linear,
  meta,
  readFloat32,
  tensor,
  ValueError,
  zeros,
  type Json,
  type QuantizationConfig,
  type QuantizationConfigType,
  type Tensor,
} from '@ao/base-tensor'
import { PerBlock, PerGroup, PerRow, PerTensor, PerToken } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import { Int4PreshuffledTensor } from '@ao/int4-preshuffled'
import { weightTransform } from '@ao/quantize'
import { memoryFolder, openCheckpoint, transformCheckpoint } from '@ao/safetensors'
import { goldenPath, loadSpecGolden, readRawSafetensors } from '@ao/test-data'
import { parseRawSafetensors } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  Float8DynamicActivationFloat8WeightConfig,
  Float8DynamicActivationInt4WeightConfig,
  Float8MMConfig,
  Float8StaticActivationFloat8WeightConfig,
  Float8Tensor,
  Float8WeightOnlyConfig,
  PrototypeFloat8Tensor,
  QuantizeTensorToFloat8Kwargs,
} from '../src/index.ts'

const CONFIGS: readonly QuantizationConfigType[] = [
  Float8WeightOnlyConfig,
  Float8DynamicActivationFloat8WeightConfig,
  Float8StaticActivationFloat8WeightConfig,
  Float8DynamicActivationInt4WeightConfig,
]
const FORMATS = [Int4Tensor, Int4PreshuffledTensor, Int4PlainInt32Tensor]
const AT = { name: 'up.weight' }

function fromJson(json: any): QuantizationConfig {
  const type = CONFIGS.find(({ configName }) => configName === json._type)
  return type!.fromJSON(json._data, { path: 'config._data', configs: CONFIGS, formats: FORMATS })
}

function quantize<T extends Tensor = Float8Tensor>(config: QuantizationConfig, weight: Tensor): T {
  const result = config.quantizeTensor(weight, AT)
  if (isSkipped(result)) throw new Error(result.skipped)
  return result as T
}

describe('config JSON, as torchao writes it', () => {
  const names = CONFIGS.map(({ configName }) => configName)
  const stored: Json[] = [
    ...loadSpecGolden('config_json').filter(({ _type }) => names.includes(_type)),
    ...['float8wo', 'float8dyn'].map((name) =>
      JSON.parse(readFileSync(goldenPath(`checkpoints/${name}/config.json`), 'utf8')),
    ),
  ]
  it('has six cases', () => expect(stored).toHaveLength(6))

  it.each(stored.map((json, i) => ({ json, i })))('case $i, both ways', ({ json }) => {
    const config = fromJson(json)
    expect(Object.isFrozen(config)).toBe(true)
    expect(JSON.stringify(config.toJSON())).toBe(JSON.stringify(json))
  })

  it('of a static config has no tensors and no step', () => {
    const config = new Float8StaticActivationFloat8WeightConfig()
    const json = config.toJSON() as any
    expect(json._data.step).toBeNull()
    expect(fromJson(json)).toEqual(config)
    const scaled = new Float8StaticActivationFloat8WeightConfig({ actQuantScale: tensor([1]) })
    expect(() => scaled.toJSON()).toThrow('a config without tensors')
    const step = { ...json, _data: { ...json._data, step: 'prepare' } }
    expect(() => fromJson(step)).toThrow('config._data.step to be null')
  })
})

describe("torchao's checkpoints", () => {
  it.each(['float8wo', 'float8dyn'])('%s are written tensor for tensor', async (name) => {
    const path = (file: string): string => goldenPath(`checkpoints/${name}/${file}`)
    const config = fromJson(JSON.parse(readFileSync(path('config.json'), 'utf8')))
    const bytes = new Uint8Array(readFileSync(path('original.safetensors')))
    const original = await openCheckpoint(memoryFolder(new Map([['model.safetensors', bytes]])))
    const out = memoryFolder()
    await transformCheckpoint(original, out, weightTransform(config))
    const file = (await out.open('model.safetensors'))!
    const written = parseRawSafetensors(await file.read(0, file.size))
    const stored = readRawSafetensors(path('model.safetensors'))
    expect(Object.fromEntries(written.tensors)).toEqual(Object.fromEntries(stored.tensors))
    const named = ({ metadata }: typeof written) => ({
      ...metadata,
      tensor_names: JSON.parse(metadata['tensor_names'] as string).sort(),
    })
    expect(named(written)).toEqual(named(stored))
  })
})

describe('what is refused', () => {
  it('by weight-only', () => {
    const options = { granularity: PerToken() }
    expect(() => new Float8WeightOnlyConfig(options)).toThrow(ValueError)
    expect(() => new Float8WeightOnlyConfig({ weightDtype: 'int8' as never })).toThrow(
      '[@ao/float8] Expected float8_e4m3fn or float8_e5m2 as the dtype of weights, got int8.',
    )
  })

  it.each([
    [PerGroup(16)],
    [PerBlock([128, 128])],
    [[PerTensor(), PerRow()]],
    [[PerBlock([1, 64]), PerBlock([64, 64])]],
    [[PerRow(), PerRow(), PerRow()]],
    [[PerRow(0), PerRow(0)]],
  ] as never[][])('granularity %j of activations and weights', (granularity) => {
    expect(() => new Float8DynamicActivationFloat8WeightConfig({ granularity })).toThrow(ValueError)
  })

  it('bounds, packing formats and options that do not exist', () => {
    const make = (options: object) => () => new Float8DynamicActivationFloat8WeightConfig(options)
    expect(make({ activationValueLb: 2, activationValueUb: 1 })).toThrow('positive bounds')
    expect(make({ activationValueUb: Infinity })).toThrow('positive bounds')
    expect(make({ packingFormat: 'SPARSE' })).toThrow('the packing format PLAIN')
    expect(make({ scale: 1 })).toThrow('options among')
  })

  it('int4 formats without float8 inputs', () => {
    const options = { packingFormat: Int4PlainInt32Tensor as never }
    expect(() => new Float8DynamicActivationInt4WeightConfig(options)).toThrow(
      '[@ao/float8] Expected a packing format that takes float8 inputs, got Int4PlainInt32Tensor. Use Int4Tensor or Int4PreshuffledTensor.',
    )
  })

  it('static activations without a scale', () => {
    const none = new Float8StaticActivationFloat8WeightConfig()
    expect(() => quantize(none, randn([16, 16]))).toThrow('activation that up.weight meets')
    const half = { actQuantScale: tensor([1]), quantizeAndDequantizeOutput: true }
    const config = new Float8StaticActivationFloat8WeightConfig(half)
    expect(() => quantize(config, randn([16, 16]))).toThrow('output that up.weight gives')
    const rows = { granularity: PerRow() }
    expect(() => new Float8StaticActivationFloat8WeightConfig(rows)).toThrow('PerTensor')
    const fields = { qdata: zeros([2, 16], 'float8_e4m3fn'), scale: tensor([[1], [1]]) }
    const make = (more: object) => () => new PrototypeFloat8Tensor({ ...fields, ...more })
    expect(make({ actQuantScale: tensor([1]) })).toThrow('how to quantize beside actQuantScale')
    expect(make({ actQuantScale: tensor([1, 2]) })).toThrow('actQuantScale of one element')
  })
})

describe('weights', () => {
  it('are quantized as configs say', () => {
    const rows = new Float8DynamicActivationFloat8WeightConfig({
      ...{ granularity: PerRow(), activationValueLb: 1e-3, activationValueUb: 4 },
      kernelPreference: 'TORCH',
    })
    const weight = quantize(rows, randn([32, 64], { dtype: 'bfloat16' }))
    expect(weight.actQuantKwargs).toEqual(
      QuantizeTensorToFloat8Kwargs({
        ...{ granularity: PerRow(), hpValueLb: 1e-3, hpValueUb: 4, kernelPreference: 'TORCH' },
      }),
    )
    expect(weight.mmConfig).toEqual(Float8MMConfig({ useFastAccum: true }))
    expect([weight.blockSize, weight.scale.shape]).toEqual([
      [1, 64],
      [32, 1],
    ])
    const blocks = new Float8DynamicActivationFloat8WeightConfig({
      granularity: [PerBlock([1, 128]), PerBlock([128, 128])],
    })
    const blockwise = quantize(blocks, zeros([256, 384], 'bfloat16', meta))
    expect(blockwise.scale.shape).toEqual([2, 3])
    expect(blockwise.mmConfig).toEqual(Float8MMConfig())
    const tensors = quantize(new Float8DynamicActivationFloat8WeightConfig(), randn([2, 16, 32]))
    expect(tensors.scale.shape).toEqual([1, 1, 1])
  })

  it('stay as they are where torchao leaves them', () => {
    const dynamic = new Float8DynamicActivationFloat8WeightConfig()
    const skipped = (config: QuantizationConfig, weight: Tensor): string =>
      (config.quantizeTensor(weight, AT) as any).skipped
    expect(skipped(dynamic, randn([24, 32]))).toBe(
      'its N and K, 24 and 32, are not both multiples of 16',
    )
    expect(skipped(new Float8WeightOnlyConfig(), randn([4]))).toBe(
      'its shape [4] is not (N, K) or (E, N, K)',
    )
    const int4 = new Float8DynamicActivationInt4WeightConfig({ packingFormat: Int4Tensor })
    expect(skipped(int4, randn([4, 64]))).toBe('its K=64 is no multiple of the group size 128')
    expect(skipped(dynamic, quantize(dynamic, randn([16, 16])))).toBe('it is quantized already')
  })

  it('of int4 meet float8 inputs', async () => {
    const hp = randn([8, 256], { dtype: 'bfloat16' })
    for (const packingFormat of [Int4Tensor, Int4PreshuffledTensor]) {
      const config = new Float8DynamicActivationInt4WeightConfig({ packingFormat })
      const own = packingFormat.fromHp(hp, {
        ...{ granularity: PerGroup(128), activationDtype: 'float8_e4m3fn' },
      })
      const weight = quantize<Tensor>(config, hp)
      const x = randn([3, 256], { dtype: 'bfloat16' })
      expect(await readFloat32(linear(x, weight))).toEqual(await readFloat32(linear(x, own)))
    }
  })

  it('of zeros are zeros, and others in their tensor keep their scales', async () => {
    const weight = Float8Tensor.fromHp(
      tensor([
        [0, 0],
        [1, -2],
      ]),
    )
    expect(elements(weight.scale)[0]).toBe(0)
    expect(await readFloat32(weight.dequantize())).toEqual(Float32Array.of(0, 0, 1, -2))
    const dynamic = Float8Tensor.fromHp(tensor([[1, -2]]), {
      actQuantKwargs: QuantizeTensorToFloat8Kwargs(),
    })
    expect(await readFloat32(linear(tensor([[0, 0]]), dynamic))).toEqual(Float32Array.of(0))
  })

  it('keep small numbers of float16 in float8_e5m2, whose scale would be 0', async () => {
    const hp = tensor([[1e-3, -5e-4]], { dtype: 'float16' })
    const values = await readFloat32(
      Float8Tensor.fromHp(hp, { float8Dtype: 'float8_e5m2' }).dequantize('float32'),
    )
    expect(values[0]).toBeCloseTo(1e-3, 4)
    expect(values[1]).toBeCloseTo(-5e-4, 4)
  })

  it('from older files lack attributes', () => {
    const qdata = zeros([4, 6], 'float8_e4m3fn')
    const scale = zeros([2, 3])
    expect(new Float8Tensor({ qdata, scale }).blockSize).toEqual([2, 2])
    expect(new Float8Tensor({ qdata, scale: zeros([1, 1]), blockSize: [] }).blockSize).toEqual([
      4, 6,
    ])
    expect(() => new Float8Tensor({ qdata, scale: zeros([4, 1]), blockSize: [1, 3] })).toThrow(
      '[@ao/float8] Expected a scale for each block of [1, 3]',
    )
    expect(() => new Float8Tensor({ qdata, scale: zeros([3, 1]) })).toThrow(
      'Expected a scale for each',
    )
  })
})
