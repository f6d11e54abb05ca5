import {
  cast,
  fromFloat32,
  hostFloat32,
  isSkipped,
  linear,
  meta,
  ShapeError,
  tensor,
  ValueError,
  zeros,
  type DenseTensor,
  type FloatDType,
  type Json,
  type QuantizationConfig,
  type QuantizationConfigType,
  type Tensor,
} from '@ao/base-tensor'
import { PerAxis, PerGroup, PerRow, PerTensor, PerToken } from '@ao/granularity'
import { goldenPath, loadSpecGolden, loadTensors } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { elements, fromBytes, randn } from '@ao/test-tensors'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
  Int8WeightOnlyConfig,
  type Int8Tensor,
} from '../src/index.ts'
import { dense } from './support.ts'

const CONFIGS: readonly QuantizationConfigType[] = [
  Int8WeightOnlyConfig,
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
]
const AT = { name: 'layers.0.up.weight' }

function fromJson(json: any): QuantizationConfig {
  const type = CONFIGS.find(({ configName }) => configName === json._type)
  return type!.fromJSON(json._data, { path: 'config._data', configs: CONFIGS, formats: [] })
}

function quantize(config: QuantizationConfig, weight: Tensor): Int8Tensor {
  const result = config.quantizeTensor(weight, AT)
  if (isSkipped(result)) throw new Error(result.skipped)
  return result as Int8Tensor
}

describe('config JSON, as torchao writes it', () => {
  const names = CONFIGS.map(({ configName }) => configName)
  const stored: Json[] = [
    ...loadSpecGolden('config_json').filter(({ _type }) => names.includes(_type)),
    ...['int8wo', 'int8wo_g32', 'int8dyn', 'int8dyn_asym'].map((name) =>
      JSON.parse(readFileSync(goldenPath(`checkpoints/${name}/config.json`), 'utf8')),
    ),
  ]

  it.each(stored.map((json, i) => ({ json, i })))('case $i, both ways', ({ json }) => {
    const config = fromJson(json)
    expect(JSON.stringify(config.toJSON())).toBe(JSON.stringify(json))
    expect(Object.isFrozen(config)).toBe(true)
  })

  it('covers eight cases', () => expect(stored).toHaveLength(8))

  it('is the JSON of default configs', () => {
    const json = JSON.stringify(new Int8StaticActivationInt8WeightConfig())
    expect(json).toBe(
      '{"_type":"Int8StaticActivationInt8WeightConfig","_version":1,"_data":{"act_quant_scale":null,"act_quant_zero_point":null,"granularity":{"_type":"PerRow","_version":1,"_data":{"dim":-1}},"act_mapping_type":{"_type":"MappingType","_data":"SYMMETRIC"},"set_inductor_config":true,"reduce_range":false}}',
    )
    expect(fromJson(JSON.parse(json)).toJSON()).toEqual(JSON.parse(json))
  })

  it('cannot hold tensors', () => {
    const config = new Int8StaticActivationInt8WeightConfig({ actQuantScale: dense([[1]]) })
    expect(() => config.toJSON()).toThrow(
      '[@ao/int8] Expected a config without tensors, to write it as JSON, got an activation scale or zero point (tensor([1, 1], dtype=float32)). Write the quantized model instead: its tensors carry them.',
    )
  })

  it('of version 1, which had a group size, is refused', () => {
    const json = { _type: 'Int8WeightOnlyConfig', _data: { group_size: 32 } }
    expect(() => fromJson(json)).toThrow(
      '[@ao/int8] Expected a granularity instead of a group size, which torchao took until version 1 of the config, got group size 32. Use granularity PerGroup(32).',
    )
    const options = { groupSize: 32 } as never
    expect(() => new Int8WeightOnlyConfig(options)).toThrow('Use granularity PerGroup(32).')
    expect(CONFIGS.map(({ configVersion }) => configVersion)).toEqual([2, 2, 1])
  })

  it('is checked', () => {
    const dynamic = (data: Json): QuantizationConfig =>
      fromJson({ _type: 'Int8DynamicActivationInt8WeightConfig', _data: data })
    expect(() => dynamic({ granularity: [{ _type: 'PerTensor', _data: {} }] })).toThrow(
      'Expected config._data.granularity to be one granularity or a list of two',
    )
    expect(() => dynamic({ weight_only_decode: 1 })).toThrow('config._data.weight_only_decode')
    expect(() => dynamic({ act_mapping_type: 'SYMMETRIC_NO_CLIPPING_ERR' })).toThrow(ValueError)
  })
})

describe('options', () => {
  it.each([PerAxis(0), PerToken()])('weight-only: not $type', (granularity) => {
    expect(() => new Int8WeightOnlyConfig({ granularity })).toThrow(
      'Expected PerRow, PerTensor or PerGroup as the granularity of int8 weights',
    )
  })

  it.each([Int8DynamicActivationInt8WeightConfig, Int8StaticActivationInt8WeightConfig])(
    'int8 activations: $configName',
    (Config) => {
      expect(() => new Config({ granularity: PerRow(0) })).toThrow(
        '[@ao/quantized-linear] Expected PerTensor or PerRow(dim=-1) as the granularity of activations, got {"type":"PerRow","dim":0}.',
      )
      expect(() => new Config({ granularity: [PerRow(), PerGroup(32)] })).toThrow(
        'Use Int8WeightOnlyConfig to quantize weights by group.',
      )
      expect(() => new Config({ granularity: [PerRow()] as never })).toThrow('got a list of 1')
      expect(() => new Config({ actMappingType: 'SYMMETRIC_NO_CLIPPING_ERR' })).toThrow(
        '[@ao/quantized-linear] Expected SYMMETRIC or ASYMMETRIC as the mapping of activations, got SYMMETRIC_NO_CLIPPING_ERR.',
      )
      const granularity = [PerTensor(), PerRow()] as const
      const kwargs = new Config({ granularity, reduceRange: true }).getActQuantKwargs()
      expect(kwargs).toMatchObject({ granularity: PerTensor(), reduceRange: true })
    },
  )

  it('reach the weight', () => {
    const config = new Int8DynamicActivationInt8WeightConfig({
      granularity: [PerTensor(), PerRow()],
      actMappingType: 'ASYMMETRIC',
      weightOnlyDecode: true,
      reduceRange: true,
    })
    const weight = quantize(config, randn([8, 16]))
    expect(weight.actQuantKwargs).toEqual({
      granularity: PerTensor(),
      mappingType: 'ASYMMETRIC',
      reduceRange: true,
      weightOnlyDecode: true,
    })
    expect(weight.reduceRange).toBe(true)
    expect(weight.scale.shape).toEqual([8, 1])
    expect(Math.max(...elements(weight.qdata).map(Math.abs))).toBeLessThanOrEqual(64)
  })

  it('static: need what was measured', () => {
    const hp = randn([8, 16])
    const [actQuantScale, actQuantZeroPoint] = [dense([[0.03]]), dense([[-5]], 'int8')]
    const granularity = [PerTensor(), PerRow()] as const
    const none = new Int8StaticActivationInt8WeightConfig({ granularity })
    expect(() => quantize(none, hp)).toThrow(
      '[@ao/int8] Expected the scale of the activation that layers.0.up.weight meets, got none. Measure it by running examples through the model, or use Int8DynamicActivationInt8WeightConfig.',
    )
    const asymmetric = { granularity, actMappingType: 'ASYMMETRIC', actQuantScale } as const
    const half = new Int8StaticActivationInt8WeightConfig(asymmetric)
    expect(() => quantize(half, hp)).toThrow("the scale's zero point of the activation")
    const full = new Int8StaticActivationInt8WeightConfig({ ...asymmetric, actQuantZeroPoint })
    const weight = quantize(full, hp)
    expect(weight.actQuantScale).toBe(actQuantScale)
    expect(weight.actQuantZeroPoint).toBe(actQuantZeroPoint)
  })
})

describe('weights', () => {
  it.each(CONFIGS.slice(0, 2))('left alone by $configName', (Config) => {
    const config = Config.fromJSON({}, { path: '', configs: [], formats: [] })
    const reasonOf = (weight: Tensor): string => (config.quantizeTensor(weight, AT) as any).skipped
    expect(reasonOf(quantize(config, randn([8, 16])))).toBe('it is quantized already')
    expect(reasonOf(randn([8]))).toBe('its shape [8] is not (N, K) or (E, N, K)')
    expect(reasonOf(randn([1, 2, 3, 4]))).toBe('its shape [1, 2, 3, 4] is not (N, K) or (E, N, K)')
    expect(reasonOf(randn([0, 4]))).toBe('its shape [0, 4] has no elements')
    expect(reasonOf(randn([4, 1]))).toBe('its shape [4, 1] has rows of one element')
    expect(reasonOf(tensor([[1, 2]], { dtype: 'int32' }))).toBe('its dtype int32 is not floating')
    expect(quantize(config, randn([2, 8, 16])).scale.shape).toEqual([2, 8, 1])
    expect(quantize(config, zeros([8, 16], 'bfloat16', meta)).device).toBe(meta)
  })

  it.each([
    [100, 32, 'Use 20, 25, 50 or 100.'],
    [4096, 48, 'Use 16, 32, 64, 128 or 256.'],
    [64, 128, 'Use 32 or 64.'],
    [7, 2, 'Use 1 or 7.'],
  ])('K=%i in groups of %i', (k, groupSize, cure) => {
    const config = new Int8WeightOnlyConfig({ granularity: PerGroup(groupSize) })
    const quantized = (): unknown => quantize(config, zeros([2, k], 'float32', meta))
    expect(quantized).toThrow(ShapeError)
    expect(quantized).toThrow(
      `[@ao/int8] Expected the group size to divide K=${k} of layers.0.up.weight, got ${groupSize}. ${cure}`,
    )
  })
})

describe("torchao's checkpoints", () => {
  it.each(['int8wo', 'int8wo_g32', 'int8dyn', 'int8dyn_asym'])('%s, bit for bit', (name) => {
    const path = (file: string): string => goldenPath(`checkpoints/${name}/${file}`)
    const config = fromJson(JSON.parse(readFileSync(path('config.json'), 'utf8')))
    const original = loadTensors(path('original.safetensors'), fromBytes)
    const stored = loadTensors(path('model.safetensors'), fromBytes)
    const [up, down, head] = ['up', 'down', 'head'].map((layer) => {
      const weight = quantize(config, original.get(`${layer}.weight`) as DenseTensor)
      for (const [part, field] of Object.entries({
        qdata: weight.qdata,
        scale: weight.scale,
        zero_point: weight.zeroPoint,
      })) {
        expect(elements(field)).toEqual(elements(stored.get(`${layer}._weight_${part}`)))
      }
      return weight
    }) as [Int8Tensor, Int8Tensor, Int8Tensor]
    const io = loadTensors(path('io.safetensors'), fromBytes)
    const run = (dtype: FloatDType): Float32Array => {
      const given = (tensor: Tensor | undefined): Tensor => cast(tensor as Tensor, dtype)
      const hidden = relu(linear(given(io.get('x')), up, given(original.get('up.bias'))))
      const normed = layerNorm(
        linear(hidden, down),
        given(original.get('norm.weight')),
        given(original.get('norm.bias')),
      )
      return hostFloat32(linear(normed, head, given(original.get('head.bias'))))
    }
    const theirs = hostFloat32(io.get('y')!)
    const [ours, exact] = [run('bfloat16'), run('float32')]
    // Three products, each within 40 dB. torchao rounds each step of a product to bfloat16, ours only its result.
    expect(sqnr(theirs, ours)).toBeGreaterThan(36)
    expect(sqnr(exact, ours)).toBeGreaterThan(sqnr(exact, theirs))
  })
})

function relu(x: Tensor): Tensor {
  return fromFloat32(
    hostFloat32(x).map((value) => Math.max(value, 0)),
    x.shape,
    'bfloat16',
  )
}

function layerNorm(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const n = weight.numel
  const [w, b] = [hostFloat32(weight), hostFloat32(bias)]
  const out = hostFloat32(x).slice()
  for (let at = 0; at < out.length; at += n) {
    const row = out.subarray(at, at + n)
    const mean = row.reduce((sum, value) => sum + value, 0) / n
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n
    row.forEach((value, i) => {
      row[i] = ((value - mean) / Math.sqrt(variance + 1e-5)) * w[i]! + b[i]!
    })
  }
  return fromFloat32(out, x.shape, 'bfloat16')
}
