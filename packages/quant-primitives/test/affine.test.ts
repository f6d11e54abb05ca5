import {
  DTypeError,
  fromFloat32,
  hostArray,
  hostFloat32,
  meta,
  roundHalfToEven,
  ShapeError,
  tensor,
  ValueError,
  zeros,
  type FloatDType,
  type Tensor,
  decodeJson,
  encodeJson,
} from '@ao/base-tensor'
import { getBlockSize, granularityCodec } from '@ao/granularity'
import {
  chooseQparamsAffine,
  chooseQparamsAffineWithMinMax,
  dequantizeAffine,
  dequantizeAffineNoZeroPoint,
  mappingTypeCodec,
  quantBounds,
  quantizeAffine,
  quantizeAffineNoZeroPoint,
} from '@ao/quant-primitives'
import { loadSpecGolden } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { blockRange } from '../src/block-range.ts'
import { blockLayout } from '../src/blocks.ts'
import { bits, expectPlanned, goldenCases } from './golden.ts'

describe('quantBounds', () => {
  it.each([
    ['int8', -128, 127],
    ['uint8', 0, 255],
    ['int16', -32768, 32767],
    ['int32', -2147483648, 2147483647],
    ['int1', -1, 0],
    ['int4', -8, 7],
    ['uint3', 0, 7],
    ['float8_e4m3fn', -448, 448],
    ['float8_e5m2', -57344, 57344],
  ] as const)('of %s are %d..%d', (dtype, quantMin, quantMax) => {
    expect(quantBounds(dtype)).toEqual({ quantMin, quantMax })
  })

  it('narrow to what is asked, never widen', () => {
    expect(quantBounds('int8', { quantMin: -127 })).toEqual({ quantMin: -127, quantMax: 127 })
    expect(() => quantBounds('int4', { quantMax: 8 })).toThrow(
      '[@ao/quant-primitives] Expected quantMin and quantMax within -8..7, the range of int4, got -8..8.',
    )
  })

  it.each(['int64', 'bool', 'float32', 'bfloat16'] as const)('refuse %s', (dtype) => {
    expect(() => quantBounds(dtype)).toThrow(DTypeError)
    expect(() => quantBounds(dtype)).toThrow(
      `Expected a dtype to quantize to: an integer of at most 32 bits or float8, got ${dtype}.`,
    )
  })
})

describe('mappingTypeCodec', () => {
  it('writes and reads torchao member names', () => {
    const json = encodeJson(mappingTypeCodec, 'SYMMETRIC_NO_CLIPPING_ERR', 'config')
    expect(json).toEqual({ _type: 'MappingType', _data: 'SYMMETRIC_NO_CLIPPING_ERR' })
    expect(decodeJson(mappingTypeCodec, json, 'x')).toBe('SYMMETRIC_NO_CLIPPING_ERR')
  })
})

describe('chooseQparamsAffine', () => {
  it('gives scales of the shapes that torchao gives', async () => {
    const golden = loadSpecGolden('granularity').filter((c) => c['scale_shape'] !== undefined)
    expect(golden).toHaveLength(47)
    for (const c of golden) {
      const { type, ...data } = c['granularity']
      const granularity = decodeJson(granularityCodec, { _type: type, _data: data }, 'golden')
      for (const input of [zeros(c['shape']), zeros(c['shape'], 'bfloat16', meta)]) {
        const shapeOf = (keepdim: boolean): readonly number[] =>
          chooseQparamsAffine(input, 'SYMMETRIC', getBlockSize(input.shape, granularity), 'int8', {
            keepdim,
          }).scale.shape
        expect(shapeOf(false)).toEqual(c['scale_shape'])
        if (c['error'] === undefined) expect(shapeOf(true)).toEqual(c['scale_shape_keepdim'])
        else expect(() => shapeOf(true)).toThrow('Expected blocks of more than one element')
      }
    }
  })

  it('works out the example -1, 0, 2', () => {
    const x = tensor([-1, 0, 2])
    const { scale, zeroPoint } = chooseQparamsAffine(x, 'ASYMMETRIC', [3], 'int8')
    expect(bits(scale)).toEqual(bits(tensor(3 / 255)))
    const q = quantizeAffine(x, [3], scale, zeroPoint, 'int8')
    expect([...hostArray(q)]).toEqual([-128, -43, 127])
    expect(bits(dequantizeAffine(q, [3], scale, zeroPoint, 'int8'))).toEqual(bits(x))
  })

  it('clips the positive end by the mapping, or not', () => {
    const x = tensor([[1, 2.55]])
    const top = (mapping: 'SYMMETRIC' | 'SYMMETRIC_NO_CLIPPING_ERR'): number => {
      const { scale } = chooseQparamsAffine(x, mapping, [1, 2], 'int8')
      return hostFloat32(scale)[0] as number
    }
    expect(top('SYMMETRIC')).toBe(Math.fround(Math.fround(2.55) / 127.5))
    expect(top('SYMMETRIC_NO_CLIPPING_ERR')).toBe(Math.fround(Math.fround(2.55) / 127))
  })

  it('puts symmetric zero points on the middle code', () => {
    const zeroPointOf = (quantMin: number, quantMax: number): unknown =>
      hostArray(
        chooseQparamsAffine(tensor([[1]]), 'SYMMETRIC', [1, 1], 'int32', { quantMin, quantMax })
          .zeroPoint,
      )[0]
    expect(zeroPointOf(-128, 127)).toBe(0)
    expect(zeroPointOf(-127, 127)).toBe(0)
    expect(zeroPointOf(0, 15)).toBe(8)
    expect(zeroPointOf(0, 255)).toBe(128)
  })

  it('rounds to the dtype of the input before the cast to scaleDtype', () => {
    const x = tensor([[1]], { dtype: 'bfloat16' })
    const { scale } = chooseQparamsAffine(x, 'SYMMETRIC', [1, 1], 'int8', { scaleDtype: 'float32' })
    expect(scale.dtype).toBe('float32')
    expect(hostFloat32(scale)[0]).toBe(0.00787353515625) // 1 / 127.5 in 8 bits
  })

  it('takes a step of -1 for a whole dimension', () => {
    const x = tensor([[1, -2], [3, 4]]) // prettier-ignore
    const { scale } = chooseQparamsAffine(x, 'SYMMETRIC', [1, -1], 'int8', { keepdim: true })
    expect(scale.shape).toEqual([2, 1])
  })

  it('works on strided views', () => {
    const x = tensor([[1, 2, 3], [4, 5, 6]]).transpose(0, 1) // prettier-ignore
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const view = fromFloat32(hostFloat32(x), [3, 2], dtype)
      const { scale } = chooseQparamsAffine(view, 'SYMMETRIC_NO_CLIPPING_ERR', [1, 2], 'int8', {
        quantMin: -1,
        quantMax: 1,
      })
      expect([...hostFloat32(scale)]).toEqual([4, 5, 6])
    }
  })

  it('refuses what it cannot do', () => {
    const x = tensor([[1, 2, 3]])
    const choose = (input: Tensor, mapping: string, block: number[]) => () =>
      chooseQparamsAffine(input, mapping as 'SYMMETRIC', block, 'int8')
    expect(choose(x, 'LINEAR', [1, 3])).toThrow(ValueError)
    expect(choose(x, 'LINEAR', [1, 3])).toThrow(
      'Expected a mapping of SYMMETRIC, SYMMETRIC_NO_CLIPPING_ERR, ASYMMETRIC, got LINEAR.',
    )
    expect(choose(zeros([1, 3], 'int8'), 'SYMMETRIC', [1, 3])).toThrow(DTypeError)
    expect(choose(x, 'SYMMETRIC', [3])).toThrow(ShapeError)
    expect(choose(x, 'SYMMETRIC', [1, 2])).toThrow('divides dimension 1 of size 3, got 2.')
  })
})

describe('chooseQparamsAffineWithMinMax', () => {
  it.each(goldenCases('observers'))(
    'ends what an observer began: %s',
    (_, { args, inputs, outputs }) => {
      const { type, group_size: groupSize, ...data } = args['granularity']
      const granularity = decodeJson(
        granularityCodec,
        { _type: type, _data: groupSize === undefined ? data : { group_size: groupSize } },
        'golden',
      )
      const batches = Object.values(inputs).map((x) =>
        blockRange(x, blockLayout(x.shape, getBlockSize(x.shape, granularity))),
      )
      const over = (pick: (a: number, b: number) => number, end: 'min' | 'max'): Tensor => {
        const [first, ...rest] = batches.map((range) => range[end]) as [Float32Array]
        const values = rest.reduce(
          (a: Float32Array, b) => a.map((x, i) => pick(x, b[i] as number)),
          first,
        )
        return fromFloat32(values, (outputs['scale'] as Tensor).shape, 'float32')
      }
      const mapping = args['mapping_type']
      const { scale, zeroPoint } = chooseQparamsAffineWithMinMax(
        over(Math.min, 'min'),
        over(Math.max, 'max'),
        mapping,
        'int8',
        {
          eps: 2 ** -23,
          scaleDtype: 'float32',
          zeroPointDtype: (outputs['zero_point'] as Tensor).dtype,
        },
      )
      expect(bits(scale)).toEqual(bits(outputs['scale'] as Tensor))
      expect(bits(zeroPoint)).toEqual(bits(outputs['zero_point'] as Tensor))
    },
  )

  const low = tensor([-1, -3], { dtype: 'bfloat16' })
  const high = tensor([2, 1], { dtype: 'bfloat16' })

  it('equals chooseQparamsAffine, and keeps symmetric zero points floating', async () => {
    const x = tensor([[-1, 2], [-3, 1]], { dtype: 'bfloat16' }) // prettier-ignore
    const known = chooseQparamsAffineWithMinMax(low, high, 'ASYMMETRIC', 'int8')
    const chosen = chooseQparamsAffine(x, 'ASYMMETRIC', [1, 2], 'int8')
    expect(bits(known.scale)).toEqual(bits(chosen.scale))
    expect(bits(known.zeroPoint)).toEqual(bits(chosen.zeroPoint))
    const symmetric = chooseQparamsAffineWithMinMax(low, high, 'SYMMETRIC', 'int8')
    expect(symmetric.zeroPoint.dtype).toBe('bfloat16')
    const planned = chooseQparamsAffineWithMinMax(
      await low.to(meta),
      await high.to(meta),
      'SYMMETRIC',
      'int8',
    )
    expectPlanned(planned.scale, symmetric.scale)
    expectPlanned(planned.zeroPoint, symmetric.zeroPoint)
  })

  it('refuses ranges that do not belong together', () => {
    expect(() => chooseQparamsAffineWithMinMax(low, tensor([2, 1]), 'SYMMETRIC', 'int8')).toThrow(
      'Expected minVal and maxVal of one dtype, got bfloat16 and float32.',
    )
    expect(() =>
      chooseQparamsAffineWithMinMax(low, high.narrow(0, 0, 1), 'SYMMETRIC', 'int8'),
    ).toThrow('Expected minVal and maxVal of one shape, got [2] and [1].')
  })
})

describe('quantizeAffine', () => {
  const x = tensor([[0.5, 1.5, 2.5, -2.5]])
  const one = tensor([1])
  const zero = tensor([0], { dtype: 'int32' })

  it('rounds ties to even', () => {
    expect([...hostArray(quantizeAffine(x, [1, 4], one, zero, 'int8'))]).toEqual([0, 2, 2, -2])
  })

  it('multiplies by the reciprocal instead of dividing', () => {
    const step = Math.fround(0.3)
    const reciprocal = Math.fround(1 / step)
    const values = Array.from({ length: 1000 }, (_, i) => Math.fround(step * (i + 0.5)))
    const codes = hostArray(
      quantizeAffine(tensor([values]), [1, 1000], tensor([step]), zero, 'int32'),
    )
    const byProduct = values.map((x) => roundHalfToEven(Math.fround(x * reciprocal)))
    const byDivision = values.map((x) => roundHalfToEven(Math.fround(x / step)))
    expect([...codes]).toEqual(byProduct)
    expect(byProduct).not.toEqual(byDivision)
  })

  it('stores uint1 to uint7 as uint8, and says how to store int4', () => {
    const codes = quantizeAffine(x, [1, 4], one, zero, 'uint4')
    expect(codes.dtype).toBe('uint8')
    expect([...hostArray(codes)]).toEqual([0, 2, 2, 0])
    expect(dequantizeAffine(codes, [1, 4], one, zero, 'uint4').shape).toEqual([1, 4])
    expect(() => quantizeAffine(x, [1, 4], one, zero, 'int4')).toThrow(
      '[@ao/quant-primitives] Expected an output dtype that tensors can have, got int4. Use int8 with quantMin -8 and quantMax 7.',
    )
  })

  it('rounds for float8 targets too, as torchao does', () => {
    const codes = quantizeAffine(x, [1, 4], one, zero, 'float8_e4m3fn')
    expect([...hostFloat32(codes)]).toEqual([0, 2, 2, -2])
  })

  it('takes scales of any shape that counts the blocks, and no other', () => {
    const scales = [tensor(1), tensor([1]), tensor([[1]])]
    for (const scale of scales) {
      expect([...hostArray(quantizeAffine(x, [1, 4], scale, zero, 'int8'))]).toEqual([0, 2, 2, -2])
    }
    expect(() => quantizeAffine(x, [1, 2], one, zero, 'int8')).toThrow(
      '[@ao/quant-primitives] Expected the scale to have 2 elements, one for each block, got 1 of shape [1].',
    )
    expect(() => quantizeAffine(x, [1, 2], tensor([1, 1]), zero, 'int8')).toThrow(
      'Expected the zero point to have 2 elements',
    )
  })

  it('refuses inputs that are not floating, and a missing zero point', () => {
    expect(() => quantizeAffine(zeros([1, 4], 'int8'), [1, 4], one, zero, 'int8')).toThrow(
      '[@ao/quant-primitives] Expected the input to be of float32, float16 or bfloat16, got int8.',
    )
    expect(() => quantizeAffine(x, [1, 4], one, undefined as never, 'int8')).toThrow(
      '[@ao/quant-primitives] Expected a zero point, got undefined. Use quantizeAffineNoZeroPoint to do without.',
    )
  })
})

describe('dequantizeAffine', () => {
  const codes = tensor([[-128, 0, 127, 100]], { dtype: 'int8' })
  const scale = tensor([0.5])

  it('gives back all codes that it dequantized', () => {
    const all = tensor([Array.from({ length: 256 }, (_, i) => i - 128)], { dtype: 'int8' })
    const zeroPoint = tensor([5], { dtype: 'int8' })
    for (const step of [0.5, 0.1, 1e-3, 3]) {
      const steps = tensor([step])
      const values = dequantizeAffine(all, [1, 256], steps, zeroPoint, 'int8')
      expect(bits(quantizeAffine(values, [1, 256], steps, zeroPoint, 'int8'))).toEqual(bits(all))
    }
  })

  it('does without a zero point', () => {
    const values = dequantizeAffine(codes, [1, 4], scale, undefined, 'int8')
    expect([...hostFloat32(values)]).toEqual([-64, 0, 63.5, 50])
    expect(bits(dequantizeAffineNoZeroPoint(codes, [1, 4], scale, 'int8'))).toEqual(bits(values))
    const again = quantizeAffineNoZeroPoint(values, [1, 4], scale, 'int8')
    expect(bits(again)).toEqual(bits(codes))
  })

  it('subtracts zero points in the dtype of the output', () => {
    const zeroPoint = tensor([-128], { dtype: 'int8' })
    const options = { outputDtype: 'bfloat16' } as const
    const values = dequantizeAffine(codes, [1, 4], tensor([1]), zeroPoint, 'int8', options)
    expect([...hostFloat32(values)]).toEqual([0, 128, 255, 228])
    const wide = tensor([[127]], { dtype: 'int16' })
    const low = tensor([-384], { dtype: 'int32' })
    const sum = dequantizeAffine(wide, [1, 1], tensor([1]), low, 'int16', options)
    expect([...hostFloat32(sum)]).toEqual([512]) // 511 in 8 bits
  })

  it('refuses codes of another dtype and outputs that are not floating', () => {
    expect(() => dequantizeAffine(codes, [1, 4], scale, undefined, 'uint8')).toThrow(
      '[@ao/quant-primitives] Expected codes of uint8, got int8.',
    )
    expect(() =>
      dequantizeAffine(codes, [1, 4], scale, undefined, 'int8', {
        outputDtype: 'int8' as unknown as FloatDType,
      }),
    ).toThrow('Expected an output dtype of float32, float16 or bfloat16, got int8.')
  })

  it('knows its result on the meta device', async () => {
    const planned = dequantizeAffine(
      await codes.to(meta),
      [1, 4],
      await scale.to(meta),
      undefined,
      'int8',
      { outputDtype: 'float16' },
    )
    expect([planned.shape, planned.dtype, planned.device]).toEqual([[1, 4], 'float16', meta])
  })
})
