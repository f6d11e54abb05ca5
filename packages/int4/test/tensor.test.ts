import {
  bmm,
  cast,
  cat,
  hostFloat32,
  linear,
  meta,
  mul,
  numelOf,
  reshape,
  tensor,
  zeros,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup, PerRow } from '@ao/granularity'
import { quantizeInt4Groupwise } from '@ao/quant-primitives'
import { type Int4Codes } from '@ao/quantized-linear'
import { sqnr } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Int4Tensor, packInt4, unpackInt4 } from '../src/index.ts'

const group32 = { granularity: PerGroup(32) }
const experts32 = { granularity: PerGroup(32) }

function values(weight: Tensor): number[] {
  return elements((weight as Int4Tensor).dequantize('float32').contiguous())
}

describe('packing', () => {
  it('puts the even code in the low four bits, less 8', () => {
    const codes = tensor([[0, 15, 9, 7]], { dtype: 'uint8' })
    expect(elements(packInt4(codes))).toEqual([0x78, 0xf1 - 256])
  })

  it('brings back every code from every place', () => {
    const codes = fc.uint8Array({ max: 15, minLength: 2, maxLength: 40 })
    fc.assert(
      fc.property(codes, (list) => {
        const even = tensor([Array.from(list.slice(list.length % 2))], { dtype: 'uint8' })
        expect(elements(unpackInt4(packInt4(even)))).toEqual(elements(even))
      }),
    )
  })
})

describe('fromHp', () => {
  it('plans on the meta device what it makes with data', () => {
    const planned = Int4Tensor.fromHp(zeros([6, 64], 'bfloat16', meta), group32)
    const made = Int4Tensor.fromHp(randn([6, 64], { dtype: 'bfloat16' }), group32)
    for (const [name, part] of Object.entries(made.flatten().tensors)) {
      expect(planned.flatten().tensors[name]?.shape).toEqual(part.shape)
      expect(planned.flatten().tensors[name]?.dtype).toBe(part.dtype)
    }
    expect(planned.nbytes).toBe((6 * 64) / 2 + 2 * 2 * (6 * 2))
  })

  it('stands for a group of equal values', () => {
    const weight = tensor([Array.from({ length: 32 }, () => 3)])
    expect(values(Int4Tensor.fromHp(weight, group32)).every((v) => Math.abs(v - 3) < 1e-5)).toBe(
      true,
    )
  })

  it('refuses what it cannot do', () => {
    const weight = randn([4, 64])
    expect(() =>
      Int4Tensor.fromHp(weight, { granularity: PerGroup(48) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4] Expected the group size to divide K=64, and to be a multiple of 2, got 48. Use 16, 32 or 64.]`,
    )
    expect(() =>
      Int4Tensor.fromHp(weight, { granularity: PerRow(0) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4] Expected PerGroup(n), or PerRow(), as the granularity of int4 weights, got {"type":"PerRow","dim":0}.]`,
    )
    // Groups of 128 unless given.
    expect(() => Int4Tensor.fromHp(weight)).toThrow(
      'K=64, and to be a multiple of 2, got 128. Use 32 or 64.',
    )
    expect(Int4Tensor.fromHp(randn([2, 256])).blockSize).toEqual([1, 128])
    expect(Int4Tensor.fromHp(weight, { granularity: PerRow() }).blockSize).toEqual([1, 64])
    expect(() => Int4Tensor.fromHp(randn([64]), group32)).toThrow(
      'Expected a weight (N, K) or (E, N, K), got [64].',
    )
    expect(() => Int4Tensor.fromHp(randn([4, 3]))).toThrow('No size does: K is no multiple of 2.')
    const blockSize = { blockSize: [1, 32] } as object
    expect(() => Int4Tensor.fromHp(weight, blockSize)).toThrow('got blockSize.')
    expect(() =>
      Int4Tensor.fromHp(weight, { ...group32, chooseQparamsAlgorithm: 'HQQ' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4] Expected the algorithm TINYGEMM, got HQQ. HQQ goes with the tile-packed format.]`,
    )
    expect(() => Int4Tensor.fromHp(cast(weight, 'int32'), group32)).toThrow('float32')
  })
})

describe('linear', () => {
  it('multiplies the input by actPreScale first', () => {
    const { blockSize, shape, qdata, scale, zeroPoint } = Int4Tensor.fromHp(randn([8, 64]), group32)
    const actPreScale = randn([64], { seed: 7 })
    const plain = new Int4Tensor({ blockSize, shape, qdata, scale, zeroPoint })
    const scaled = new Int4Tensor({ blockSize, shape, qdata, scale, zeroPoint, actPreScale })
    const x = randn([3, 64], { seed: 2 })
    expect(elements(linear(x, scaled))).toEqual(elements(linear(mul(x, actPreScale), plain)))
  })

  it('adds the bias before it rounds', () => {
    const weight = Int4Tensor.fromHp(randn([4, 32], { dtype: 'bfloat16' }), group32)
    const x = randn([2, 32], { dtype: 'bfloat16', seed: 2 })
    const bias = tensor([1, 2, 3, 4], { dtype: 'bfloat16' })
    const separate = hostFloat32(linear(cast(x, 'float32'), weight)).map((y, i) => y + 1 + (i % 4))
    const expected = cast(tensor(separate, { shape: [2, 4] }), 'bfloat16')
    expect(elements(linear(x, weight, bias))).toEqual(elements(expected))
  })

  it('rounds inputs to float8 where told', () => {
    const hp = randn([16, 64])
    const options = { granularity: PerGroup(32), activationDtype: 'float8_e4m3fn' } as const
    const weight = Int4Tensor.fromHp(hp, options)
    const x = randn([4, 64], { seed: 3 })
    const exact = linear(x, weight.dequantize())
    const error = sqnr(hostFloat32(exact), hostFloat32(linear(x, weight)))
    expect(error).toBeGreaterThan(28)
    expect(error).toBeLessThan(40) // float8 keeps three bits: equal outputs would mean no rounding
  })

  it('refuses inputs, biases and weights that do not fit', () => {
    const weight = Int4Tensor.fromHp(randn([8, 64]), group32)
    expect(() => linear(randn([2, 32]), weight)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4] Expected an input of shape [..., 64] for a weight of shape (out, in) = [8, 64], got [2, 32].]`,
    )
    expect(() => linear(randn([2, 64]), weight, randn([4]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4] Expected a bias of 8 elements, got shape [4].]`,
    )
    expect(() => linear(randn([2, 8]), weight.transpose(0, 1))).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4] Expected a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm, got shape [64, 8] with blocks of [32, 1]. Transpose it back, or call dequantize().]`,
    )
  })
})

describe('experts', () => {
  const make = (): Int4Tensor => Int4Tensor.fromHp(randn([2, 8, 64]), experts32)

  it('multiplies each batch with its expert, stored or transposed', () => {
    const x = randn([2, 3, 64], { seed: 2 })
    const y = bmm(x, make())
    const exact = bmm(x, make().dequantize().transpose(1, 2))
    expect(sqnr(hostFloat32(exact), hostFloat32(y))).toBeGreaterThan(120)
    expect(elements(bmm(x, make().transpose(1, 2)))).toEqual(elements(y))
    expect(() => bmm(randn([2, 3, 32]), make())).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4] Expected an input (E, M, K) and experts (E, N, K) for bmm, got [2, 3, 32] and [2, 8, 64].]`,
    )
  })

  it('keeps products through the reshapes of a mixture of experts', () => {
    const before = make()
    const x = randn([2, 3, 64], { seed: 2 })
    const merged = reshape(before.transpose(1, 2).contiguous(), [-1, 8]).contiguous()
    expect(merged.shape).toEqual([128, 8])
    const after = merged.view([2, -1, 8]).squeeze(0).transpose(1, 2).contiguous()
    expect(after.shape).toEqual(before.shape)
    expect(elements(bmm(x, after))).toEqual(elements(bmm(x, before)))
  })

  it('joins hidden sizes of loaded parts', () => {
    const other = Int4Tensor.fromHp(randn([2, 8, 64], { seed: 5 }), experts32)
    for (const dim of [0, 1, 2]) {
      const joined = cat([make(), other], dim)
      const dense = cat([make().dequantize(), other.dequantize()], dim)
      expect(values(joined)).toEqual(elements(dense))
    }
  })

  it('selects an expert as a view', () => {
    const weight = make()
    const expert = weight.select(0, 1) as Int4Tensor
    expert.copy_(Int4Tensor.fromHp(randn([8, 64], { seed: 9 }), group32))
    expect(values(weight).slice(8 * 64)).toEqual(values(expert))
  })
})

describe('views', () => {
  it('keep the law view(dequantize) = dequantize(view) for slices at groups', () => {
    const weight = Int4Tensor.fromHp(randn([12, 128]), group32)
    const rows = fc.tuple(fc.nat(12), fc.nat(12))
    const groups = fc.tuple(fc.nat(4), fc.nat(4))
    fc.assert(
      fc.property(rows, groups, (r, g) => {
        const [r0, r1] = r.sort((a, b) => a - b)
        const [g0, g1] = g.sort((a, b) => a - b)
        const part = weight.slice(0, r0, r1).slice(1, 32 * g0, 32 * g1)
        const expected = weight
          .dequantize()
          .slice(0, r0, r1)
          .slice(1, 32 * g0, 32 * g1)
        if (numelOf(part.shape) > 0) expect(values(part)).toEqual(elements(expected.contiguous()))
        else expect(part.shape).toEqual(expected.shape)
      }),
    )
  })

  it('share storage with the weight, scales too', () => {
    const weight = Int4Tensor.fromHp(randn([4, 64]), group32)
    const part = weight.narrow(1, 32, 32) as Int4Tensor
    const inner = (tensor: DenseTensor): unknown => tensor.storage
    expect(inner(part.qdata)).toBe(inner(weight.qdata))
    expect(inner(part.scale)).toBe(inner(weight.scale))
    expect(inner(part.zeroPoint)).toBe(inner(weight.zeroPoint))
  })

  it('take the part of actPreScale that goes with a slice along K', () => {
    const { blockSize, shape, qdata, scale, zeroPoint } = Int4Tensor.fromHp(randn([4, 64]), group32)
    const actPreScale = randn([64])
    const weight = new Int4Tensor({ blockSize, shape, qdata, scale, zeroPoint, actPreScale })
    const part = weight.slice(1, 32) as Int4Tensor
    expect(elements(part.actPreScale as DenseTensor)).toEqual(elements(actPreScale.slice(0, 32)))
  })

  it('refuse what would cut a group', () => {
    const weight = Int4Tensor.fromHp(randn([4, 64]), group32)
    expect(() => weight.slice(1, 16, 48)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4] Expected a slice of dimension 1 (size 64) in whole blocks of 32, which share a scale, got 16 to 48. Slice at multiples of 32, or dequantize() first.]`,
    )
    expect(() => weight.slice(0, 0, 4, 2)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4] Expected a slice of step 1, got step 2. Pick rows with index(weight, rows).]`,
    )
    expect(() => weight.select(1, 0)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4] Expected a dimension whose codes are not packed to select from, got dimension 1. Call dequantize() to work on the plain tensor.]`,
    )
    expect(() => weight.view([16, 16])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4] Expected a shape that keeps blocks of [1, 32] in [4, 64] whole, got [16, 16]. Call dequantize() to work on the plain tensor.]`,
    )
  })
})

describe('codes', () => {
  it('go out and come back exactly', () => {
    const weight = Int4Tensor.fromHp(randn([4, 64], { dtype: 'bfloat16' }), group32)
    const again = Int4Tensor.fromCodes(weight.toCodes())
    expect(elements(again.qdata)).toEqual(elements(weight.qdata))
    expect(values(again)).toEqual(values(weight))
  })

  it('without a zero point stand for values around zero', () => {
    const { codes, scale } = quantizeInt4Groupwise(randn([2, 32]), 32)
    const plain: Int4Codes = { codes, scale, zeroPoint: undefined, groupSize: 32, dtype: 'float32' }
    const steps = hostFloat32(scale)
    const expected = elements(codes).map((code, i) =>
      Math.fround((code - 8) * (steps[Math.floor(i / 32)] as number)),
    )
    expect(values(Int4Tensor.fromCodes(plain))).toEqual(expected)
  })

  it('with integer zero points are refused', () => {
    const { codes, scale, zeroPoint } = quantizeInt4Groupwise(randn([2, 32]), 32)
    const integer: Int4Codes = {
      codes,
      scale,
      zeroPoint: { domain: 'INT', values: cast(zeroPoint, 'int8') },
      groupSize: 32,
      dtype: 'float32',
    }
    expect(() => Int4Tensor.fromCodes(integer)).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4] Expected codes with a floating zero point, or none, got an integer one. Quantize the float weight with Int4Tensor.fromHp instead.]`,
    )
  })
})
