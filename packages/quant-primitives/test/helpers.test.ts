import {
  fromFloat32,
  hostArray,
  hostFloat32,
  meta,
  tensor,
  type DenseTensor,
  type FloatDType,
} from '@ao/base-tensor'
import {
  chooseQparamsAffine,
  computeError,
  dequantizeAffine,
  dequantizePerChannel,
  dequantizePerTensor,
  dynamicallyQuantizePerChannel,
  getGroupQparamsSymmetric,
  getGroupwiseAffineQparams,
  groupQuantizeTensorSymmetric,
  groupwiseAffineDequantizeTensor,
  groupwiseAffineDequantizeTensorFromQparams,
  groupwiseAffineQuantizeTensor,
  groupwiseAffineQuantizeTensorFromQparams,
  packTinygemmScalesAndZeros,
  perTokenDynamicQuant,
  quantizeActivationPerTokenAbsmax,
  quantizeAffine,
  sliceScaleForDimension,
  unpackTinygemmScalesAndZeros,
} from '@ao/quant-primitives'
import { describe, expect, it } from 'vitest'
import { bits } from './golden.ts'

/** A weight without pattern, the same in every run. */
function wave(shape: readonly [number, number], dtype: FloatDType = 'float32'): DenseTensor {
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * i))
  return fromFloat32(values, shape, dtype)
}

describe('computeError', () => {
  it('is 20 log10 of the ratio of the norms', async () => {
    expect(await computeError(tensor([3, 4]), tensor([3, 3.5]))).toBeCloseTo(20, 10)
    expect(await computeError(tensor([1, 2]), tensor([1, 2]))).toBe(Infinity)
    expect(await computeError(tensor([0, 0]), tensor([0, 0]))).toBeNaN()
  })

  it('refuses tensors of two shapes', async () => {
    await expect(computeError(tensor([1, 2]), tensor([[1, 2]]))).rejects.toThrow(
      '[@ao/quant-primitives] Expected tensors of one shape, got [2] and [1, 2].',
    )
  })
})

describe('sliceScaleForDimension', () => {
  const perGroup = tensor([[1, 2, 3, 4], [5, 6, 7, 8]]) // prettier-ignore
  const shape = [2, 128]

  it('takes rows where each row has scales of its own', () => {
    const sliced = sliceScaleForDimension(perGroup, shape, 0, 1, 2)
    expect(bits(sliced)).toEqual(bits(tensor([[5, 6, 7, 8]])))
    const stepped = sliceScaleForDimension(tensor([[1], [2], [3], [4]]), [4, 8], 0, 0, 4, 2)
    expect(bits(stepped)).toEqual(bits(tensor([[1], [3]])))
  })

  it('takes the blocks of columns', () => {
    const sliced = sliceScaleForDimension(perGroup, shape, 1, 32, 96)
    expect(bits(sliced)).toEqual(bits(tensor([[2, 3], [6, 7]]))) // prettier-ignore
    expect(sliceScaleForDimension(perGroup, shape, -1, -32).shape).toEqual([2, 1])
    expect(sliceScaleForDimension(perGroup, shape, 1, 64, Infinity).shape).toEqual([2, 2])
    expect(sliceScaleForDimension(perGroup, shape, 1, 96, 9999).shape).toEqual([2, 1])
  })

  it('keeps the one scale of a whole dimension, unless nothing is left', () => {
    const single = tensor([[7]])
    expect(bits(sliceScaleForDimension(single, shape, 1, 3, 50))).toEqual(bits(single))
    expect(sliceScaleForDimension(single, shape, 1, 128, 130).shape).toEqual([1, 0])
    expect(sliceScaleForDimension(tensor([1, 2]), shape, 1, 3, 5)).toEqual(tensor([1, 2]))
  })

  it('is a view', () => {
    const scale = tensor([[1, 2, 3, 4]])
    sliceScaleForDimension(scale, [1, 128], 1, 32, 64).copy_(tensor([[9]]))
    expect([...hostArray(scale)]).toEqual([1, 9, 3, 4])
  })

  it.each([
    [8, 64, 1, '8:64:1'],
    [0, 40, 1, '0:40:1'],
    [0, 128, 2, '0:128:2'],
  ])('refuses the slice %d:%d:%d, which cuts blocks', (start, end, step, got) => {
    expect(() => sliceScaleForDimension(perGroup, shape, 1, start, end, step)).toThrow(
      `[@ao/quant-primitives] Expected a slice of dimension 1 in steps of 1 and along its blocks of 32, got ${got}. Dequantize first, or slice at multiples of the block size.`,
    )
  })
})

describe('per channel', () => {
  it('quantizes rows symmetrically, and gives them back', () => {
    const weight = wave([4, 16])
    const { quantized, scale, zeroPoint } = dynamicallyQuantizePerChannel(weight, -128, 127, 'int8')
    expect([quantized.dtype, scale.shape, zeroPoint.dtype]).toEqual(['int8', [4], 'int64'])
    const row = hostFloat32(weight).subarray(0, 16)
    expect(hostFloat32(scale)[0]).toBe(Math.fround(Math.max(...row.map(Math.abs)) / 127.5))
    const values = dequantizePerChannel(quantized, scale, zeroPoint)
    const expected = dequantizeAffine(quantized, [1, 16], scale, zeroPoint, 'int8')
    expect(bits(values)).toEqual(bits(expected))
    expect(dequantizePerChannel(quantized, scale, zeroPoint, 'bfloat16').dtype).toBe('bfloat16')
    expect(() => dynamicallyQuantizePerChannel(tensor([1]), -128, 127, 'int8')).toThrow(
      '[@ao/quant-primitives] Expected a tensor of 2 dimensions, got shape [1].',
    )
  })

  it('dequantizes with one scale, and refuses two', () => {
    const codes = tensor([[1, -2], [3, 4]], { dtype: 'int8' }) // prettier-ignore
    const zero = tensor([1], { dtype: 'int32' })
    expect([...hostArray(dequantizePerTensor(codes, tensor([0.5]), zero))]).toEqual([
      0, -1.5, 1, 1.5,
    ])
    expect(() => dequantizePerTensor(codes, tensor([1, 2]), zero)).toThrow('to have 1 elements')
  })
})

describe('per token', () => {
  it.each([
    ['float32', 'float32'],
    ['bfloat16', 'bfloat16'],
    ['float16', 'float32'],
  ] as const)('absmax scales of %s are %s', (dtype, scaleDtype) => {
    const x = wave([3, 8], dtype).view([1, 3, 8])
    const { quantized, scale } = quantizeActivationPerTokenAbsmax(x)
    expect([quantized.shape, quantized.dtype]).toEqual([[1, 3, 8], 'int8'])
    expect([scale.shape, scale.dtype]).toEqual([[1, 3], scaleDtype])
    for (const code of hostArray(quantized)) expect(Math.abs(Number(code))).toBeLessThanOrEqual(127)
  })

  it('absmax takes zeros', () => {
    const { quantized, scale } = quantizeActivationPerTokenAbsmax(tensor([[0, 0]]))
    expect([...hostArray(quantized)]).toEqual([0, 0])
    expect([...hostArray(scale)]).toEqual([Math.fround(1e-5)])
  })

  it('dynamic quantization is quantize and dequantize', async () => {
    const x = wave([3, 64], 'bfloat16')
    const { scale, zeroPoint } = chooseQparamsAffine(x, 'ASYMMETRIC', [1, 64], 'int8', {
      scaleDtype: 'float32',
    })
    const codes = quantizeAffine(x, [1, 64], scale, zeroPoint, 'int8')
    const expected = dequantizeAffine(codes, [1, 64], scale, zeroPoint, 'int8', {
      outputDtype: 'bfloat16',
    })
    expect(bits(perTokenDynamicQuant(x))).toEqual(bits(expected))
    expect(await computeError(x, expected)).toBeGreaterThan(40)
  })
})

describe('groups, symmetric', () => {
  it('have scales and zero points of the precision asked for', () => {
    const weight = wave([2, 64], 'bfloat16')
    const { scale, zeroPoint } = getGroupQparamsSymmetric(weight, { groupSize: 32 })
    expect([scale.shape, scale.dtype, zeroPoint.dtype]).toEqual([[2, 2], 'float32', 'float32'])
    expect(getGroupQparamsSymmetric(weight, { precision: 'bfloat16' }).scale.shape).toEqual([2, 1])
  })

  it('quantize to 4 bits whatever the scales are for', () => {
    const weight = wave([2, 64])
    const { quantized } = groupQuantizeTensorSymmetric(weight, { nBit: 8, groupSize: 32 })
    const codes = [...(hostArray(quantized) as Int8Array)]
    expect([Math.min(...codes), Math.max(...codes)]).toEqual([-8, 7])
  })

  it('refuse what makes no groups', () => {
    const weight = wave([2, 64])
    expect(() => getGroupQparamsSymmetric(weight, { groupSize: 48 })).toThrow(
      '[@ao/quant-primitives] Expected a group size that divides the last dimension 64, got 48.',
    )
    expect(() => getGroupQparamsSymmetric(weight, { groupSize: 1 })).toThrow(
      '[@ao/quant-primitives] Expected groups of 2 elements or more, got 1.',
    )
    expect(() => getGroupQparamsSymmetric(weight, { nBit: 9 })).toThrow(
      '[@ao/quant-primitives] Expected nBit in 1..8, got 9.',
    )
  })
})

describe('groups, affine', () => {
  const weight = wave([4, 64], 'bfloat16')

  it.each([
    ['FLOAT', false, 'bfloat16'],
    ['FLOAT', true, 'bfloat16'],
    ['INT', false, 'int32'],
    ['INT', true, 'int32'],
  ] as const)('in the domain %s, zero kept: %s, have zero points of %s', async (...args) => {
    const [zeroPointDomain, preserveZero, dtype] = args
    const options = { groupSize: 32, zeroPointDomain, preserveZero }
    const { scale, zeroPoint } = getGroupwiseAffineQparams(weight, options)
    expect([scale.shape, scale.dtype]).toEqual([[4, 2], 'bfloat16'])
    expect([zeroPoint.shape, zeroPoint.dtype]).toEqual([[4, 2], dtype])
    if (zeroPointDomain === 'FLOAT' && preserveZero) return // torchao has no use for it either
    const codes = groupwiseAffineQuantizeTensorFromQparams(weight, scale, zeroPoint, options)
    expect(codes.dtype).toBe('int32')
    const values = groupwiseAffineDequantizeTensorFromQparams(codes, scale, zeroPoint, options)
    expect(values.dtype).toBe('bfloat16')
    expect(await computeError(weight, values)).toBeGreaterThan(15)
  })

  it('travel with their scales and zero points', async () => {
    const options = { groupSize: 32 }
    const packed = groupwiseAffineQuantizeTensor(weight, options)
    expect(packed.scalesAndZeros.shape).toEqual([2, 4, 2])
    const values = groupwiseAffineDequantizeTensor(packed, options)
    const { scale, zeroPoint } = getGroupwiseAffineQparams(weight, options)
    expect(bits(values)).toEqual(
      bits(groupwiseAffineDequantizeTensorFromQparams(packed.quantized, scale, zeroPoint, options)),
    )
    const planned = groupwiseAffineQuantizeTensor(await weight.to(meta), options)
    expect([planned.quantized.shape, planned.scalesAndZeros.shape]).toEqual([
      [4, 64],
      [2, 4, 2],
    ])
  })
})

describe('packTinygemmScalesAndZeros', () => {
  const scale = tensor([[1, 2, 3], [4, 5, 6]], { dtype: 'bfloat16' }) // prettier-ignore
  const zeroPoint = tensor([[-1, -2, -3], [-4, -5, -6]], { dtype: 'bfloat16' }) // prettier-ignore

  it('pairs them, groups first', () => {
    const packed = packTinygemmScalesAndZeros(scale, zeroPoint)
    expect(packed.shape).toEqual([3, 2, 2])
    expect([...hostFloat32(packed)]).toEqual([1, -1, 4, -4, 2, -2, 5, -5, 3, -3, 6, -6])
    const again = unpackTinygemmScalesAndZeros(packed)
    expect(again.scale.shape).toEqual([2, 3, 1])
    expect(bits(again.scale.squeeze(-1))).toEqual(bits(scale))
    expect(bits(again.zeroPoint.squeeze(-1))).toEqual(bits(zeroPoint))
  })

  it('refuses other dtypes and shapes', () => {
    expect(() => packTinygemmScalesAndZeros(scale, zeroPoint, 'float32')).toThrow(
      '[@ao/quant-primitives] Expected scales and zero points of float32, got bfloat16 and bfloat16.',
    )
    expect(() => packTinygemmScalesAndZeros(scale, zeroPoint.transpose(0, 1))).toThrow(
      'Expected scales and zero points of one shape (N, K/g), got [2, 3] and [3, 2].',
    )
    expect(() => unpackTinygemmScalesAndZeros(scale)).toThrow(
      'Expected scales and zero points of shape (K/g, N, 2), got [2, 3].',
    )
  })
})
