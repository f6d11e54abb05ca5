import { fromArray, isSkipped, zeros, type DenseTensor } from '@ao/base-tensor'
import { elements, golden } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { packUintx, UIntXWeightOnlyConfig, unpackUintx, UintxTensor } from '../src/index.ts'

describe('shards are torchao’s', () => {
  const cases = golden('bitpack')
  it('of all numbers of bits, along both dimensions', () => expect(cases).toHaveLength(14))

  it.each(cases)('$name', ({ args, inputs, outputs }) => {
    const { bits, dim } = args as { bits: number; dim: number }
    const { unpacked, ...expected } = outputs
    const shards = packUintx(inputs['x'] as DenseTensor, bits, dim)
    const all = Object.keys(expected)
      .sort()
      .map((name) => expected[name] as DenseTensor)
    expect(shards.map(({ shape }) => shape)).toEqual(all.map(({ shape }) => shape))
    expect(shards.map(elements)).toEqual(all.map(elements))
    expect(elements(unpackUintx(shards, bits, dim))).toEqual(elements(unpacked))
  })

  it('refuse what does not fit', () => {
    const codes = zeros([8, 12], 'uint8')
    expect(() => packUintx(codes, 3, -1)).toThrow('a multiple of 8')
    expect(() => packUintx(codes, 8, 0)).toThrow('codes of 1 to 7 bits')
    const shards = packUintx(codes, 3, 0)
    expect(() => unpackUintx(shards.slice(1), 3, 0)).toThrow('the 2 shards of codes of 3 bits')
    expect(() => unpackUintx(shards.toReversed(), 3, 0)).toThrow('the 2 shards of codes of 3 bits')
  })
})

describe('UIntXWeightOnlyConfig', () => {
  const hp = fromArray(
    Float32Array.from({ length: 16 * 64 }, (_, i) => Math.sin(i * i)),
    [16, 64],
    'float32',
  )

  it('is JSON as torchao wrote it, and makes what files hold in shards', () => {
    const config = new UIntXWeightOnlyConfig({ dtype: 'uint6', groupSize: 32, packDim: 0 })
    expect(config.toJSON()).toEqual({
      _type: 'UIntXWeightOnlyConfig',
      _version: 1,
      _data: {
        dtype: { _type: 'torch.dtype', _data: 'uint6' },
        ...{ group_size: 32, pack_dim: 0, use_hqq: false, set_inductor_config: true },
      },
    })
    const weight = config.quantizeTensor(hp, { name: 'w' }) as UintxTensor
    const { tensors, attributes } = UintxTensor.storedForm.flatten(weight)
    expect(Object.keys(tensors).sort()).toEqual(['int2Shard', 'int4Shard', 'scale', 'zeroPoint'])
    expect([tensors['int4Shard']?.shape, tensors['int2Shard']?.shape]).toEqual([
      [8, 64],
      [4, 64],
    ])
    const back = UintxTensor.storedForm.unflatten({ ...tensors, ...attributes }) as UintxTensor
    expect(String(back)).toBe(String(weight))
    expect(elements(back.dequantize())).toEqual(elements(weight.dequantize()))
  })

  it('leaves alone, or refuses, what it does not take', () => {
    const of = (shape: readonly number[], packDim = -1) =>
      new UIntXWeightOnlyConfig({ dtype: 'uint3', groupSize: 4, packDim }).quantizeTensor(
        zeros(shape),
        { name: 'w' },
      )
    expect(of([8, 12])).toEqual({ skipped: 'its size along dimension -1 is not a multiple of 8' })
    expect(isSkipped(of([8, 12], 0))).toBe(false)
    expect(isSkipped(of([8]))).toBe(true)
    expect(() => new UIntXWeightOnlyConfig({ dtype: 'uint8' as never })).toThrow('uint1 to uint7')
  })
})
