import { FormatError, toSnakeCase, type Json, decodeJson, encodeJson } from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'
import { loadSpecGolden } from '@ao/test-data'
import { randn } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import {
  Int8DynamicActivationInt8WeightConfig,
  Int8Tensor,
  Int8WeightOnlyConfig,
  QuantizeTensorToInt8Kwargs,
} from '../src/index.ts'
import { dense } from './support.ts'

/** torchao's metadata of a tensor: optional attributes and tensors come first. */
function metadataOf(weight: Int8Tensor): Json {
  const { tensors, attributes } = weight.flatten()
  const { optionalTensorAttributeNames, tensorAttributeNames, attributeCodecs } = Int8Tensor
  const { optionalTensorDataNames, tensorDataNames } = Int8Tensor
  const data = [...optionalTensorAttributeNames, ...tensorAttributeNames].map((name) => [
    toSnakeCase(name),
    encodeJson(attributeCodecs[name]!, attributes[name], 'metadata'),
  ])
  return {
    _type: Int8Tensor.formatName,
    _data: Object.fromEntries(data) as Json,
    _tensor_data_names: [...optionalTensorDataNames, ...tensorDataNames]
      .filter((name) => tensors[name])
      .map(toSnakeCase),
  }
}

/** Python's `json.dumps`, for what metadata holds. */
function dumps(json: Json): string {
  return JSON.stringify(json)
    .replace(/(?<=[[{,"\w\]}]),(?=["[{\w])/g, ', ')
    .replace(/":/g, '": ')
}

describe('tensor metadata, as torchao writes it', () => {
  const configs = { Int8WeightOnlyConfig, Int8DynamicActivationInt8WeightConfig }
  const cases = loadSpecGolden('safetensors_meta').filter(({ name }) => name in configs)

  it.each(cases.map((stored) => ({ ...stored, title: stored['name'] as string })))(
    '$title',
    ({ title, ...stored }) => {
      const config = new configs[title as keyof typeof configs]()
      const hp = randn([32, 64], { dtype: 'bfloat16' })
      const weight = config.quantizeTensor(hp, { name: '0.weight' }) as Int8Tensor
      expect(dumps(metadataOf(weight))).toBe((stored as any).metadata['0.weight'])
      for (const [name, tensor] of Object.entries(weight.flatten().tensors)) {
        const { dtype, shape } = (stored as any).tensors[`0._weight_${toSnakeCase(name)}`]
        expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape])
      }
    },
  )
  it('covers two cases', () => expect(cases).toHaveLength(2))
})

describe('attributes from files', () => {
  const { blockSize, dtype, actQuantKwargs, reduceRange } = Int8Tensor.attributeCodecs

  it('read what torchao writes, and what it wrote before there was reduce_range', () => {
    const stored = {
      _type: 'QuantizeTensorToInt8Kwargs',
      _data: {
        granularity: { _type: 'PerRow', _data: { dim: -1 } },
        mapping_type: { _type: 'MappingType', _data: 'ASYMMETRIC' },
      },
    }
    expect(decodeJson(actQuantKwargs!, stored, 'w')).toEqual({
      granularity: PerRow(),
      mappingType: 'ASYMMETRIC',
      reduceRange: false,
      weightOnlyDecode: false,
    })
    expect(decodeJson(actQuantKwargs!, null, 'w')).toBeUndefined()
    expect(decodeJson(reduceRange!, null, 'w')).toBeUndefined()
  })

  it('are refused when they are something else', () => {
    expect(() => decodeJson(blockSize!, [1, 2.5], 'w')).toThrow(FormatError)
    expect(() => decodeJson(blockSize!, {}, 'w')).toThrow(FormatError)
    expect(() => decodeJson(dtype!, { _type: 'torch.dtype', _data: 'int8' }, 'w')).toThrow(
      FormatError,
    )
    expect(() => decodeJson(actQuantKwargs!, { _type: 'Evil', _data: {} }, 'w')).toThrow(
      'of type QuantizeTensorToInt8Kwargs',
    )
    expect(() => decodeJson(reduceRange!, 1, 'w')).toThrow(FormatError)
  })

  it('do not build a tensor whose parts do not fit', () => {
    const { qdata, scale, zeroPoint } = Int8Tensor.fromHp(randn([4, 8]), { granularity: PerRow() })
    const fields = { qdata, scale, zeroPoint, blockSize: [1, 8], dtype: 'float32' } as const
    const build = (change: object) => () => new Int8Tensor({ ...fields, ...change })
    expect(build({})).not.toThrow()
    expect(build({ blockSize: [1, 4] })).toThrow(
      '[@ao/int8] Expected scale of shape [4, 2], one element a block, got [4, 1].',
    )
    for (const blockSize of [[1, 3], [8], [1, 1, 8], [0, 8], [-1, 8], [1, 16], [NaN, 8]]) {
      expect(build({ blockSize })).toThrow(
        `[@ao/int8] Expected a block size that divides qdata's shape [4, 8], got [${blockSize.join(', ')}].`,
      )
    }
    expect(build({ zeroPoint: dense([[0]], 'int8') })).toThrow('Expected zeroPoint of shape [4, 1]')
    expect(build({ qdata: dense([[0]]) })).toThrow(
      '[@ao/int8] Expected qdata of int8, got float32.',
    )
    expect(build({ qdata: undefined })).toThrow('Expected argument 1 to have qdata')
    expect(build({ scale: undefined })).toThrow('Expected argument 1 to have scale')
    expect(build({ zeroPoint: dense([[0], [0], [0], [0]]) })).toThrow('zeroPoint of int8')
    expect(build({ actPreScale: dense([1, 2, 3]) })).toThrow('actPreScale of shape [8]')
    expect(build({ actPreScale: dense([1], 'int8') })).toThrow('actPreScale of float32')
    const one = dense([[0.1]])
    expect(build({ actQuantScale: one })).toThrow('actQuantKwargs beside actQuantScale, got none')
    const actQuantKwargs = QuantizeTensorToInt8Kwargs({ granularity: PerTensor() })
    expect(build({ actQuantKwargs, actQuantScale: one })).not.toThrow()
    const zero = dense([[0]], 'int8')
    expect(build({ actQuantKwargs, actQuantZeroPoint: zero })).toThrow(
      'Expected actQuantScale beside',
    )
    expect(build({ actQuantKwargs, actQuantScale: one, actQuantZeroPoint: one })).toThrow(
      'actQuantZeroPoint of int8',
    )
    expect(build({ actQuantKwargs, actQuantScale: zero })).toThrow('actQuantScale of float32')
    for (const actQuantScale of [dense([1, 2]), dense([])]) {
      expect(build({ actQuantKwargs, actQuantScale })).toThrow('actQuantScale of one element')
    }
    const kwargs = { ...QuantizeTensorToInt8Kwargs(), granularity: PerGroup(4) }
    expect(build({ actQuantKwargs: kwargs })).toThrow('as the granularity of activations')
  })
})

describe('Int8Tensor', () => {
  it('has a zero point also when it is symmetric', () => {
    const weight = Int8Tensor.fromHp(randn([4, 8]), { granularity: PerRow() })
    expect(weight.zeroPoint?.dtype).toBe('int8')
    expect(weight.reduceRange).toBe(false)
  })

  it('has a scale a row unless told otherwise', () => {
    const hp = randn([4, 8])
    const weight = Int8Tensor.fromHp(hp)
    expect(weight.blockSize).toEqual([1, 8])
    expect(String(weight)).toBe(String(Int8Tensor.fromHp(hp, { granularity: PerRow() })))
  })

  it('says that a granularity is a function to call', () => {
    const uncalled = { granularity: PerRow as never }
    expect(() => Int8Tensor.fromHp(randn([4, 8]), uncalled)).toThrow(
      '[@ao/granularity] Expected PerTensor, PerAxis, PerRow, PerToken, PerGroup or PerBlock, got a function; call it, as in PerRow().',
    )
    for (const make of [
      () => new Int8WeightOnlyConfig(uncalled),
      () => new Int8DynamicActivationInt8WeightConfig(uncalled),
      () => QuantizeTensorToInt8Kwargs(uncalled),
    ]) {
      expect(make).toThrow('got a function; call it, as in PerRow().')
    }
  })

  it('takes a scale that is known', () => {
    const weight = Int8Tensor.fromHp(
      dense([
        [1, -2],
        [3, 400],
      ]),
      {
        granularity: PerRow(),
        scale: dense([[0.5], [1]]),
      },
    )
    expect(
      Array.from(weight.qdata.storage.length ? (weight.qdata as any).storage.array : []),
    ).toEqual([2, -4, 3, 127])
    const options = { granularity: PerRow(), scale: dense([[1], [1]]) }
    expect(() => Int8Tensor.fromHp(dense([[1, 2]]), options)).toThrow(
      '[@ao/quantized-linear] Expected a scale of shape [1, 1] for values of shape [1, 2], got [2, 1].',
    )
    const hp = dense([
      [1, 2],
      [3, 4],
    ])
    expect(() => Int8Tensor.fromHp(hp, { ...options, mappingType: 'ASYMMETRIC' })).toThrow(
      '[@ao/quantized-linear] Expected a zero point beside the scale for ASYMMETRIC mapping, got none.',
    )
  })

  it('follows torchao for rows of zeros, NaN and infinities', () => {
    const hp = dense([
      [0, 0],
      [NaN, 1],
      [Infinity, 1],
    ])
    expect(() => Int8Tensor.fromHp(hp, { granularity: PerRow() })).toThrow(
      'Expected a weight of finite numbers, got NaN as element 1 of scale.',
    )
    const known = { granularity: PerRow(), scale: dense([[1], [1], [1]]) }
    expect(() => Int8Tensor.fromHp(hp, known)).toThrow('got NaN as element 2 of weight')
    const weight = Int8Tensor.fromHp(hp, { granularity: PerRow(), allowNonFinite: true })
    expect(Array.from((weight.scale.storage as any).array)).toEqual([2 ** -23, NaN, Infinity])
    expect(Array.from((weight.qdata.storage as any).array)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('keeps precision of tiny bfloat16 weights, which the eps of bfloat16 would lose', () => {
    const tiny = Int8Tensor.fromHp(
      dense(
        Array.from({ length: 2 }, () => [1e-4, -5e-5]),
        'bfloat16',
      ),
      {
        granularity: PerRow(),
      },
    )
    expect((tiny.qdata.storage as any).array[0]).toBe(127)
  })

  it('refuses weights that are not dense and floating', () => {
    const options = { granularity: PerRow() }
    expect(() => Int8Tensor.fromHp(dense([[1]], 'int8'), options)).toThrow(
      '[@ao/quantized-linear] Expected a tensor of float32, float16 or bfloat16, got int8.',
    )
    const weight = Int8Tensor.fromHp(randn([4, 8]), options)
    expect(() => Int8Tensor.fromHp(weight, options)).toThrow(
      'Expected what is quantized to be dense',
    )
  })

  it('prints', () => {
    const weight = Int8Tensor.fromHp(randn([4, 8]), { granularity: PerRow() })
    expect(String(weight)).toMatchInlineSnapshot(
      `"Int8Tensor(qdata=tensor([4, 8], dtype=int8), scale=tensor([4, 1], dtype=float32), blockSize=[1,8], dtype=float32, zeroPoint=tensor([4, 1], dtype=int8), reduceRange=false)"`,
    )
  })
})
