import {
  cast,
  fromArray,
  hostArray,
  hostFloat32,
  isSkipped,
  linear,
  zeros,
  type DenseTensor,
} from '@ao/base-tensor'
import { sqnr } from '@ao/test-kit'
import { elements } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { UIntxBitPackedTensor, UIntxWeightOnlyConfig, type GemliteKwargs } from '../src/index.ts'

const weightOf = (n: number, k: number): DenseTensor => {
  const values = Float32Array.from({ length: n * k }, (_, i) => Math.sin(i * i) * (1 + (i % 5)))
  return cast(fromArray(values, [n, k], 'float32'), 'bfloat16') as DenseTensor
}
const form = UIntxBitPackedTensor.storedForm
const stored = (weight: UIntxBitPackedTensor) => form.flatten(weight)
const kwargsOf = (weight: UIntxBitPackedTensor) =>
  stored(weight).attributes['gemliteKwargs'] as GemliteKwargs

describe('what files hold of 4 bits', () => {
  it.each([
    [8, 'uint8', 2],
    [16, 'int16', 4],
    [32, 'int32', 8],
    [null, 'int32', 8],
  ] as const)('in numbers of %s bits', (packingBitwidth, dtype, perNumber) => {
    const [n, k] = [5, 128]
    const weight = UIntxBitPackedTensor.fromHp(weightOf(n, k), { groupSize: 32, packingBitwidth })
    const { tensors, attributes } = stored(weight)
    const packed = tensors['packedWeight'] as DenseTensor
    expect([packed.dtype, packed.shape]).toEqual([dtype, [k / perNumber, n]])
    const numbers = hostArray(packed) as Int32Array
    const codes = hostArray(weight.qdata) as Int8Array
    for (let row = 0; row < n; row++) {
      for (let i = 0; i < k; i++) {
        const number = numbers[Math.floor(i / perNumber) * n + row] as number
        expect((number >>> (4 * (i % perNumber))) & 15).toBe(codes[row * k + i])
      }
    }
    expect(attributes['gemliteKwargs']).toEqual({
      ...{ in_features: k, out_features: n, packing_bitwidth: packingBitwidth },
      ...{ data_contiguous: true, elements_per_sample: perNumber, W_group_mode: 4 },
      meta_args: [0, 4, 32, 15, perNumber, 1, 1, 0, 1, 0, 4, 1],
    })
    const back = form.unflatten({ ...tensors, ...attributes }) as UIntxBitPackedTensor
    expect(String(back)).toBe(String(weight))
    for (const part of ['qdata', 'scale', 'zeroPoint'] as const) {
      expect(elements(back[part])).toEqual(elements(weight[part]))
    }
    const again = stored(back).tensors
    for (const part of ['packedWeight', 'scale', 'zeroPoint'] as const) {
      expect(elements(again[part])).toEqual(elements(tensors[part]))
    }
  })

  it('are shifts for groups, and zero points for whole rows', () => {
    const hp = weightOf(3, 64)
    for (const groupSize of [32, -1]) {
      const weight = UIntxBitPackedTensor.fromHp(hp, { groupSize })
      const { scale, zeroPoint } = stored(weight).tensors as Record<string, DenseTensor>
      expect([scale?.dtype, zeroPoint?.dtype]).toEqual(['float16', 'float16'])
      const values = elements(weight.dequantize('float32'))
      const [scales, zeros] = [hostFloat32(scale!), hostFloat32(zeroPoint!)]
      elements(weight.qdata).forEach((code, i) => {
        const at = (groupSize > 0 ? Math.floor((i % 64) / 32) : 0) * 3 + Math.floor(i / 64)
        const [own, zero] = [scales[at] as number, zeros[at] as number]
        const value = groupSize > 0 ? code * own + zero : (code - zero) * own
        expect(values[i]).toBeCloseTo(value, 4)
      })
      expect(kwargsOf(weight).W_group_mode).toBe(groupSize > 0 ? 4 : 3)
    }
  })

  it('are those of a slice, and not of a row', () => {
    const weight = UIntxBitPackedTensor.fromHp(weightOf(6, 96), { groupSize: 32 })
    const part = weight.slice(0, 1, 4).slice(1, 32, 96) as UIntxBitPackedTensor
    expect(kwargsOf(part)).toMatchObject({ in_features: 64, out_features: 3 })
    const { tensors, attributes } = stored(part)
    const back = form.unflatten({ ...tensors, ...attributes }) as UIntxBitPackedTensor
    expect(elements(back.dequantize())).toEqual(elements(part.dequantize()))
    expect(() => stored(weight.select(0, 1) as UIntxBitPackedTensor)).toThrow('(N, K) to be stored')
  })
})

describe('what files hold of 8 bits', () => {
  it('is bytes, turned, with no zero points', () => {
    const weight = UIntxBitPackedTensor.fromHp(weightOf(4, 32), { bitWidth: 8 })
    const { tensors, attributes } = stored(weight)
    const { packedWeight, scale, zeroPoint } = tensors as Record<string, DenseTensor>
    expect([packedWeight?.dtype, packedWeight?.shape]).toEqual(['int8', [32, 4]])
    expect([scale?.dtype, scale?.shape]).toEqual(['bfloat16', [1, 4]])
    expect([zeroPoint?.dtype, zeroPoint?.shape]).toEqual(['int32', [1, 0]])
    expect(elements(packedWeight?.transpose(0, 1))).toEqual(elements(weight.qdata))
    const back = form.unflatten({ ...tensors, ...attributes }) as UIntxBitPackedTensor
    expect(elements(back.dequantize())).toEqual(elements(weight.dequantize()))
  })

  it('is as torchao rounds it: by a scale of the weight’s dtype', () => {
    const hp = weightOf(4, 32)
    const weight = UIntxBitPackedTensor.fromHp(hp, { bitWidth: 8 })
    expect(Math.min(...elements(weight.qdata))).toBeGreaterThanOrEqual(-128)
    expect(sqnr(hostFloat32(hp), hostFloat32(weight.dequantize()))).toBeGreaterThan(38)
  })
})

describe('parts that do not fit', () => {
  const weight = UIntxBitPackedTensor.fromHp(weightOf(4, 64), { groupSize: 32 })
  const fields = { ...stored(weight).tensors, ...stored(weight).attributes }
  it.each([
    ['packed_weight to be int32 [8, 4]', { packedWeight: zeros([4, 8], 'int32') }],
    ['packed_weight to be int32 [8, 4]', { packedWeight: zeros([8, 4], 'uint8') }],
    ['zero_point to be float16 [2, 4]', { zeroPoint: zeros([2, 3], 'float16') }],
    ['a bitWidth of 4, 8', { bitWidth: 5 }],
    ['a block size that divides', { groupSize: 48 }],
  ])('are refused: %s', (message, wrong) => {
    expect(() => form.unflatten({ ...fields, ...wrong })).toThrow(message)
  })

  it('are refused where gemlite’s numbers are none', () => {
    const codec = form.attributeCodecs['gemliteKwargs'] as {
      decode(json: unknown, path: string): unknown
    }
    const kwargs = kwargsOf(weight)
    for (const wrong of [
      null,
      {},
      { ...kwargs, meta_args: 'x' },
      { ...kwargs, packing_bitwidth: 7 },
    ]) {
      expect(() => codec.decode(wrong, 'k')).toThrow(
        'Expected k to be the numbers that gemlite keeps',
      )
    }
    expect(() => codec.decode({ ...kwargs, W_group_mode: 1 }, 'k')).toThrow('one of 0, 2, 3, 4')
    expect(codec.decode({ ...kwargs }, 'k')).toEqual(kwargs)
  })
})

describe('UIntxWeightOnlyConfig', () => {
  it('is JSON as torchao writes it', () => {
    const json = {
      _type: 'UIntxWeightOnlyConfig',
      _version: 1,
      _data: { group_size: null, bit_width: 8, packing_bitwidth: 16, set_inductor_config: true },
    }
    const config = new UIntxWeightOnlyConfig({ groupSize: -1, bitWidth: 8, packingBitwidth: 16 })
    expect(config.toJSON()).toEqual(json)
    const context = { path: 'config', configs: [], formats: [] }
    expect(UIntxWeightOnlyConfig.fromJSON(json._data, context)).toEqual(config)
    expect(new UIntxWeightOnlyConfig().toJSON()).toMatchObject({
      _data: { group_size: 128, bit_width: 4, packing_bitwidth: null },
    })
  })

  it.each([
    [{ bitWidth: 3 }, 'a bitWidth of 4, 8'],
    [{ groupSize: 48 }, 'a groupSize of 32, 64, 128, 256, 512, 1024, -1 for 4 bits'],
    [{ bitWidth: 8 }, 'a groupSize of -1 for 8 bits'],
    [{ packingBitwidth: 64 }, 'a packingBitwidth of 8, 16, 32 or null'],
  ])('refuses %j', (options, message) => {
    expect(() => new UIntxWeightOnlyConfig(options)).toThrow(message)
  })

  it('leaves alone what gemlite does not take', () => {
    const config = new UIntxWeightOnlyConfig({ groupSize: 32 })
    const of = (shape: readonly number[]) =>
      config.quantizeTensor(zeros(shape, 'bfloat16'), { name: 'w' })
    expect(of([4, 40])).toEqual({ skipped: 'in_features 40 is not a multiple of 32' })
    expect(isSkipped(of([2, 4, 32]))).toBe(true)
    expect(isSkipped(of([32]))).toBe(true)
    expect(of([4, 64])).toBeInstanceOf(UIntxBitPackedTensor)
  })

  it('multiplies', () => {
    const hp = weightOf(8, 128)
    const x = weightOf(3, 128)
    const weight = UIntxBitPackedTensor.fromHp(hp)
    const [y, exact] = [linear(x, weight), linear(x, hp)]
    expect(sqnr(hostFloat32(exact), hostFloat32(y))).toBeGreaterThan(15)
  })
})
