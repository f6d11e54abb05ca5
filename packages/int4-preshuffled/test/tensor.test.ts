import {
  bmm,
  cast,
  hostFloat32,
  linear,
  meta,
  tensor,
  transpose,
  zeros,
  type DenseTensor,
} from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { quantizeInt4Groupwise, quantizeInt4GroupwiseSymmetric } from '@ao/quant-primitives'
import { type Int4Codes, type Int4PackingFormat } from '@ao/quantized-linear'
import { sqnr } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int4PreshuffledTensor } from '../src/index.ts'

const group32 = { granularity: PerGroup(32) }
const experts32 = { granularity: PerGroup(32) }
const float8 = { activationDtype: 'float8_e4m3fn' } as const

/** All parts, as bits, and the attributes. */
function contents(weight: Int4PreshuffledTensor): unknown {
  const { tensors, attributes } = weight.flatten()
  const parts = Object.entries(tensors).map(([name, part]) => [name, part.shape, elements(part)])
  return [parts, attributes]
}

describe('fromCodes', () => {
  it.each(['float32', 'float16', 'bfloat16'] as const)('equals fromHp, in %s', (dtype) => {
    const hp = randn([7, 320], { dtype })
    const { codes, scale, zeroPoint } = quantizeInt4Groupwise(hp, 64)
    const values = { domain: 'FLOAT', values: zeroPoint } as const
    const plain: Int4Codes = { codes, scale, zeroPoint: values, groupSize: 64, dtype }
    const direct = Int4PreshuffledTensor.fromHp(hp, { granularity: PerGroup(64) })
    expect(contents(Int4PreshuffledTensor.fromCodes(plain))).toEqual(contents(direct))
  })

  it.each([
    ['rows', [6, 288]],
    ['experts', [3, 5, 64]],
  ] as const)('takes what the plain format gives and gives it back: %s', (_, shape) => {
    const hp = randn(shape, { dtype: 'bfloat16' })
    const plain = Int4Tensor.fromHp(hp, group32)
    const weight = Int4PreshuffledTensor.fromCodes(plain.toCodes())
    expect(contents(weight)).toEqual(contents(Int4PreshuffledTensor.fromHp(hp, group32)))
    expect(elements(weight.dequantize())).toEqual(elements(plain.dequantize()))
    const again = Int4Tensor.fromCodes(weight.toCodes())
    for (const name of ['qdata', 'scale', 'zeroPoint'] as const) {
      expect(again[name].shape).toEqual(plain[name].shape)
      expect(elements(again[name])).toEqual(elements(plain[name]))
    }
  })

  it('has no zero points where there are none', () => {
    const hp = randn([4, 64])
    const { codes, scale } = quantizeInt4GroupwiseSymmetric(hp, 32)
    const plain: Int4Codes = {
      ...{ codes, scale, zeroPoint: undefined },
      ...{ groupSize: 32, dtype: 'float32' },
    }
    const weight = Int4PreshuffledTensor.fromCodes(plain)
    expect(weight.groupZero).toBeUndefined()
    expect(weight.toCodes().zeroPoint).toBeUndefined()
    expect(sqnr(hostFloat32(hp), hostFloat32(weight.dequantize()))).toBeGreaterThan(18)
  })

  it('refuses codes that do not fit', () => {
    const { codes, scale, zeroPoint } = quantizeInt4Groupwise(randn([6, 64]), 32)
    const values = { domain: 'FLOAT', values: zeroPoint } as const
    const plain: Int4Codes = { codes, scale, zeroPoint: values, groupSize: 32, dtype: 'float32' }
    const message = (change: object): string => {
      try {
        Int4PreshuffledTensor.fromCodes({ ...plain, ...change })
      } catch (error) {
        return (error as Error).message
      }
      return 'nothing is wrong'
    }
    expect(message({})).toBe('nothing is wrong')
    expect(message({ zeroPoint: { domain: 'INT', values: zeroPoint } })).toBe(
      '[@ao/int4-preshuffled] Expected codes with a floating zero point, or none, got an integer one. Quantize the float weight with Int4PreshuffledTensor.fromHp instead.',
    )
    expect(message({ scale: scale.slice(1, 0, 5) })).toBe(
      '[@ao/int4-preshuffled] Expected scale of shape [2, 6], got [2, 5].',
    )
    expect(message({ zeroPoint: { ...values, values: zeroPoint.slice(0, 0, 1) } })).toBe(
      '[@ao/int4-preshuffled] Expected zeroPoint of shape [2, 6], got [1, 6].',
    )
    expect(message({ codes: cast(codes, 'int8') })).toBe(
      '[@ao/int4-preshuffled] Expected codes of uint8, got int8.',
    )
    expect(message({ scale: cast(scale, 'bfloat16') })).toBe(
      '[@ao/int4-preshuffled] Expected scale of float32, got bfloat16.',
    )
    expect(message({ scale: codes, dtype: 'uint8' })).toBe(
      '[@ao/int4-preshuffled] Expected scales of float32, float16 or bfloat16, got uint8.',
    )
    expect(message({ groupSize: 16 })).toContain('Group sizes are multiples of 32')
  })
})

describe('for float8 inputs', () => {
  const hp = randn([6, 128], { dtype: 'bfloat16' })
  const weight = Int4PreshuffledTensor.fromHp(hp, { ...group32, ...float8 })

  it('has the largest scale of each row as float32, and the others relative to it', () => {
    const plain = Int4Tensor.fromHp(hp, { ...group32, ...float8 })
    const scale = hostFloat32(plain.scale) // (4, 6)
    const rowScale = hostFloat32(weight.rowScale!)
    const groupScale = hostFloat32(weight.groupScale)
    for (let row = 0; row < 6; row++) {
      const own = [0, 1, 2, 3].map((group) => scale[group * 6 + row]!)
      expect(rowScale[row]).toBe(Math.max(...own))
      own.forEach((value, group) => {
        const stored = groupScale[((row >> 2) * 4 + group) * 4 + (row & 3)]!
        const exact = Math.fround(value / rowScale[row]!)
        const rounded = hostFloat32(cast(tensor([exact]), 'float8_e4m3fn'))[0]
        expect(stored).toBe(rounded)
      })
    }
    expect([weight.groupZero, weight.dtype]).toEqual([undefined, 'bfloat16'])
    expect([weight.groupScale.dtype, weight.activationDtype]).toEqual([
      'float8_e4m3fn',
      'float8_e4m3fn',
    ])
  })

  it('comes back from its codes with the same bits', () => {
    const again = Int4PreshuffledTensor.fromCodes(weight.toCodes(), float8)
    expect(contents(again)).toEqual(contents(weight))
    expect(elements(weight.toCodes().codes)).toEqual(
      elements(quantizeInt4GroupwiseSymmetric(hp, 32).codes),
    )
  })

  it('stands for rows of zeros, and for negative scales', () => {
    const codes = tensor([Array.from({ length: 64 }, (_, k) => k % 16)], { dtype: 'uint8' })
    for (const scales of [
      [0, 0],
      [-2, 0.5],
    ]) {
      const scale = tensor(scales.map((value) => [value]))
      const made = Int4PreshuffledTensor.fromCodes(
        { codes, scale, zeroPoint: undefined, groupSize: 32, dtype: 'float32' },
        float8,
      )
      const expected = Array.from({ length: 64 }, (_, k) => ((k % 16) - 8) * scales[k >> 5]!)
      expect(elements(made.dequantize()).map((value) => value + 0)).toEqual(
        expected.map((value) => value + 0),
      )
    }
  })

  it('rounds inputs to float8', () => {
    const x = randn([4, 128], { seed: 3 })
    const exact = linear(x, weight.dequantize('float32'))
    const error = sqnr(hostFloat32(exact), hostFloat32(linear(x, weight)))
    expect(error).toBeGreaterThan(28)
    expect(error).toBeLessThan(40) // float8 keeps three bits: equal outputs would mean no rounding
    const y = bmm(x.view([2, 2, 128]), experts([hp, hp], float8))
    expect(elements(y)).toEqual(elements(linear(x, weight)))
  })

  it('refuses zero points', () => {
    const plain = Int4Tensor.fromHp(hp, group32).toCodes()
    expect(() => Int4PreshuffledTensor.fromCodes(plain, float8)).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/quantized-linear] Expected codes around zero for inputs of float8_e4m3fn, got zero points other than 0. Quantize the float weight with activationDtype: float8_e4m3fn.]`,
    )
  })
})

function experts(weights: readonly DenseTensor[], options: object = {}): Int4PreshuffledTensor {
  const [first] = weights as [DenseTensor]
  const all = zeros([weights.length, ...first.shape], first.dtype)
  weights.forEach((weight, e) => all.select(0, e).copy_(weight))
  return Int4PreshuffledTensor.fromHp(all, { ...experts32, ...options })
}

describe('linear and bmm', () => {
  it('gives what the dequantized weight gives', () => {
    for (const [m, n, k] of [
      [1, 5, 32],
      [3, 16, 544],
      [9, 33, 256],
    ] as const) {
      const weight = Int4PreshuffledTensor.fromHp(randn([n, k]), group32)
      const x = randn([m, k], { seed: 2 })
      expect(elements(linear(x, weight))).toEqual(elements(linear(x, weight.dequantize())))
    }
  })

  it('adds the bias before it rounds', () => {
    const weight = Int4PreshuffledTensor.fromHp(randn([4, 32], { dtype: 'bfloat16' }), group32)
    const x = randn([2, 32], { dtype: 'bfloat16', seed: 2 })
    const bias = tensor([1, 2, 3, 4], { dtype: 'bfloat16' })
    const separate = hostFloat32(linear(cast(x, 'float32'), weight)).map((y, i) => y + 1 + (i % 4))
    const expected = cast(tensor(separate, { shape: [2, 4] }), 'bfloat16')
    expect(elements(linear(x, weight, bias))).toEqual(elements(expected))
  })

  it('multiplies each batch with its expert', () => {
    const hp = [randn([5, 64]), randn([5, 64], { seed: 4 })]
    const weight = experts(hp)
    const x = randn([2, 3, 64], { seed: 2 })
    const y = bmm(x, weight)
    expect(y.shape).toEqual([2, 3, 5])
    const dense = bmm(x, weight.dequantize().transpose(1, 2))
    expect(sqnr(hostFloat32(dense), hostFloat32(y))).toBeGreaterThan(120)
    const planned = Int4PreshuffledTensor.fromHp(zeros([2, 5, 64], 'float32', meta), experts32)
    expect(bmm(zeros([2, 3, 64], 'float32', meta), planned).shape).toEqual(y.shape)
  })

  it('refuses what does not fit', () => {
    const weight = Int4PreshuffledTensor.fromHp(randn([8, 64]), group32)
    expect(() => linear(randn([2, 32]), weight)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected an input of shape [..., 64] for a weight of shape (out, in) = [8, 64], got [2, 32].]`,
    )
    expect(() => linear(randn([2, 64]), weight, randn([4]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected a bias of 8 elements, got shape [4].]`,
    )
    const two = experts([randn([4, 64]), randn([4, 64])])
    expect(() => linear(randn([2, 64]), two)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-preshuffled] Expected a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm, got shape [2, 4, 64] with blocks of [1, 1, 32]. Transpose it back, or call dequantize().]`,
    )
    expect(() => bmm(randn([3, 2, 64]), two)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected an input (E, M, K) and experts (E, N, K) for bmm, got [3, 2, 64] and [2, 4, 64].]`,
    )
    expect(() => bmm(randn([1, 2, 64]), weight)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-preshuffled] Expected a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm, got shape [8, 64] with blocks of [1, 32]. Transpose it back, or call dequantize().]`,
    )
    expect(() => linear(weight, weight.dequantize())).toThrow('no other quantized tensor beside it')
  })
})

describe('views', () => {
  const hp = randn([10, 160])
  const make = (): Int4PreshuffledTensor => Int4PreshuffledTensor.fromHp(hp, group32)

  it('are loaded part by part', () => {
    const target = make()
    const source = Int4PreshuffledTensor.fromHp(randn([10, 160], { seed: 5 }), group32)
    for (const [r0, r1] of [
      [0, 4],
      [4, 10],
    ] as const) {
      for (const [k0, k1] of [
        [0, 64],
        [64, 160],
      ] as const) {
        const part = (weight: Int4PreshuffledTensor) => weight.slice(0, r0, r1).slice(1, k0, k1)
        const own = Int4PreshuffledTensor.fromHp(
          source.dequantize().slice(0, r0, r1).slice(1, k0, k1),
          group32,
        )
        expect(own.shape).toEqual(part(source).shape)
        part(target).copy_(part(source))
      }
    }
    expect(contents(target)).toEqual(contents(source))
  })

  it('multiply before they are contiguous, and after', () => {
    const part = make().slice(1, 64).slice(0, 4, 8) as Int4PreshuffledTensor
    const x = randn([2, 96], { seed: 2 })
    const whole = make().dequantize().slice(0, 4, 8).slice(1, 64).contiguous()
    expect(elements(linear(x, part))).toEqual(elements(linear(x, whole)))
    const packed = part.contiguous()
    expect(packed.qdata.isContiguous).toBe(true)
    expect(contents(packed)).toEqual(contents(part))
    expect(elements(linear(x, packed))).toEqual(elements(linear(x, whole)))
  })

  it('select experts that share storage, and slice them', () => {
    const weight = experts([randn([5, 64]), randn([5, 64], { seed: 4 }), randn([5, 64])], float8)
    const expert = weight.select(0, 1) as Int4PreshuffledTensor
    const other = Int4PreshuffledTensor.fromHp(randn([5, 64], { seed: 9 }), {
      ...group32,
      ...float8,
    })
    expert.copy_(other)
    expect(elements(weight.dequantize().select(0, 1).contiguous())).toEqual(
      elements(other.dequantize()),
    )
    const last = weight.slice(0, 1) as Int4PreshuffledTensor
    expect(last.shape).toEqual([2, 5, 64])
    expect(contents(last.select(0, 0) as Int4PreshuffledTensor)).toEqual(contents(other))
    const rows = weight.slice(1, 4) as Int4PreshuffledTensor
    expect(elements(rows.dequantize())).toEqual(
      elements(weight.dequantize().slice(1, 4).contiguous()),
    )
  })

  it('refuse to cut bands and groups', () => {
    expect(() => make().slice(0, 2, 8)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected a slice of dimension 0 (size 10) at multiples of 4, got 2 to 8. Slice at multiples of 4, or dequantize() first.]`,
    )
    expect(() => make().slice(0, 0, 9)).toThrow('0 to 9')
    expect(() => make().slice(1, 16)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected a slice of dimension 1 (size 160) at multiples of 32, got 16 to 160. Slice at multiples of 32, or dequantize() first.]`,
    )
    expect(() => make().slice(1, 0, 48)).toThrow('0 to 48')
    expect(() => make().slice(0, 0, 8, 2)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-preshuffled] Expected a slice of step 1, got step 2. Call dequantize() first.]`,
    )
    expect(() => make().select(0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-preshuffled] Expected dimension 0 of experts (E, N, K) to select from, got dimension 0 of [10, 160]. Call dequantize() first.]`,
    )
    expect(() => transpose(make(), 0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/base-tensor] Expected an operation that Int4PreshuffledTensor has (bmm, linear, select, slice), got transpose(Int4PreshuffledTensor, 0, 1). Call dequantize() to work on the plain tensor.]`,
    )
  })
})

describe('fromHp and the constructor', () => {
  it('are what an int4 config asks of a packing format', () => {
    const format: Int4PackingFormat = Int4PreshuffledTensor
    expect([format.packingFormat, format.chooseQparamsAlgorithms]).toEqual([
      'PRESHUFFLED',
      ['TINYGEMM'],
    ])
    expect(format.fromHp(randn([4, 64]), group32)).toBeInstanceOf(Int4PreshuffledTensor)
  })

  it('count bytes as they plan to', () => {
    const planned = Int4PreshuffledTensor.fromHp(zeros([6, 576], 'bfloat16', meta), group32)
    expect(planned.nbytes).toBe(8 * (576 / 2 + 2 * 2 * 18))
    expect(planned.toString()).toMatchInlineSnapshot(
      `"Int4PreshuffledTensor(qdata=tensor([8, 72], dtype=int32, device=meta), groupScale=tensor([2, 18, 4], dtype=bfloat16, device=meta), blockSize=[1,32], shape=[6,576], dtype=bfloat16, groupZero=tensor([2, 18, 4], dtype=bfloat16, device=meta))"`,
    )
  })

  it('refuse what does not fit', () => {
    const hp = randn([4, 96])
    expect(() =>
      Int4PreshuffledTensor.fromHp(hp, { granularity: PerGroup(48) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected the group size to divide K=96, and to be a multiple of 32, got 48. Use 32 or 96.]`,
    )
    const parts = Int4PreshuffledTensor.fromHp(hp, group32).flatten()
    for (const blockSize of [[32], [1, 64], [4, 32], [1, 0], [1, 1, 32]]) {
      const attributes = { ...parts.attributes, blockSize }
      expect(() => Int4PreshuffledTensor.unflatten(parts.tensors, attributes)).toThrow(
        'block size of ones',
      )
    }
    for (const granularity of [PerGroup(64), PerGroup(8), PerTensor(), PerRow(0)]) {
      expect(() => Int4PreshuffledTensor.fromHp(hp, { granularity })).toThrow(
        '[@ao/int4-preshuffled]',
      )
    }
    expect(() => Int4PreshuffledTensor.fromHp(randn([96]), group32)).toThrow('(N, K)')
    expect(() =>
      Int4PreshuffledTensor.fromHp(hp, { ...group32, chooseQparamsAlgorithm: 'HQQ' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-preshuffled] Expected the algorithm TINYGEMM, got HQQ. HQQ goes with the tile-packed format.]`,
    )
    const plain = Int4PreshuffledTensor.fromHp(hp, group32)
    const both = Int4PreshuffledTensor.fromHp(hp, { ...group32, ...float8 })
    expect(
      () => new Int4PreshuffledTensor({ ...fieldsOf(both), groupZero: plain.groupZero }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-preshuffled] Expected groupZero or rowScale, got both. Weights for float8 inputs have no zero points.]`,
    )
    expect(
      () => new Int4PreshuffledTensor({ ...fieldsOf(plain), shape: [9, 96] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-preshuffled] Expected qdata of shape [12, 12], got [4, 12].]`,
    )
  })
})

function fieldsOf(weight: Int4PreshuffledTensor) {
  const { qdata, groupScale, groupZero, rowScale, blockSize, shape, dtype } = weight
  return { qdata, groupScale, groupZero, rowScale, blockSize, shape, dtype }
}
