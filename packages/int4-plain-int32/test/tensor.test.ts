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
  type FloatDType,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup, PerRow } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import { chooseQparamsAffine, quantizeAffine } from '@ao/quant-primitives'
import { packInt4Words, unpackInt4Words, type Int4Codes } from '@ao/quantized-linear'
import { sqnr } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Int4PlainInt32Tensor, type Int4PlainInt32Variant } from '../src/index.ts'

const group32 = { granularity: PerGroup(32) }
const experts32 = { granularity: PerGroup(32) }
const VARIANTS = ['xpu', 'npu'] as const

function values(weight: Tensor): number[] {
  return elements((weight as Int4PlainInt32Tensor).dequantize('float32').contiguous())
}

function withPreScale(weight: Int4PlainInt32Tensor, actPreScale: DenseTensor) {
  const { qdata, scale, zeroPoint, blockSize, shape } = weight
  return new Int4PlainInt32Tensor({ qdata, scale, zeroPoint, blockSize, shape, actPreScale })
}

describe('packing', () => {
  const codes = tensor([[0, 1, 2, 3, 12, 13, 14, 15]], { dtype: 'uint8' })

  it('puts the first code in the lowest four bits', () => {
    expect(elements(packInt4Words(codes, false))).toEqual([0xfedc3210 | 0])
  })

  it('stores codes less 8 as on an NPU', () => {
    expect(elements(packInt4Words(codes, true))).toEqual([0x7654ba98])
  })

  it.each(VARIANTS)('brings back every code from every place: %s', (variant) => {
    const list = fc.uint8Array({ max: 15, minLength: 8, maxLength: 64 })
    fc.assert(
      fc.property(list, (codes) => {
        const whole = Array.from(codes.slice(codes.length % 8))
        const packed = packInt4Words(tensor([whole], { dtype: 'uint8' }), variant === 'npu')
        expect(elements(unpackInt4Words(packed, variant === 'npu'))).toEqual(whole)
      }),
    )
  })
})

describe('quantizing', () => {
  const bounds = { xpu: { quantMin: 0, quantMax: 15 }, npu: { quantMin: -8, quantMax: 7 } }

  function expectCodesOfPrimitives(hp: Tensor, variant: Int4PlainInt32Variant): void {
    const weight = Int4PlainInt32Tensor.fromHp(hp, { ...group32, variant, allowNonFinite: true })
    const block = weight.blockSize
    const { scale, zeroPoint } = chooseQparamsAffine(hp, 'ASYMMETRIC', block, 'int32', {
      ...bounds[variant],
      eps: 1e-6,
      zeroPointDtype: variant === 'npu' ? hp.dtype : 'int32',
      keepdim: true,
      finite: true,
    })
    expect(elements(weight.scale.transpose(0, 1).contiguous())).toEqual(elements(scale))
    const codes = quantizeAffine(hp, block, scale, zeroPoint, 'int8', bounds[variant])
    const unsigned = elements(codes).map((code) => code - bounds[variant].quantMin)
    expect(elements(weight.toCodes().codes)).toEqual(unsigned)
  }

  const combinations = VARIANTS.flatMap((variant) =>
    (['float32', 'float16', 'bfloat16'] as const).map((dtype) => [variant, dtype] as const),
  )

  it.each(combinations)('gives the codes of quantizeAffine: %s, %s', (variant, dtype) => {
    const number = fc.oneof(
      fc.float({ min: -2, max: 2, noNaN: true }),
      fc.float(), // with NaN, infinities, subnormals
      fc.integer({ min: -15, max: 15 }).map((code) => code / 2), // close to ties
    )
    const rows = fc.array(number, { minLength: 64, maxLength: 64 })
    fc.assert(
      fc.property(rows, (row) => expectCodesOfPrimitives(tensor([row], { dtype }), variant)),
    )
    expectCodesOfPrimitives(randn([64, 512], { dtype }), variant)
  })

  it('stands for groups of equal values', () => {
    for (const variant of VARIANTS) {
      for (const value of [0, 3, -0.5]) {
        const hp = tensor([Array.from({ length: 64 }, () => value)], { dtype: 'float16' })
        const weight = Int4PlainInt32Tensor.fromHp(hp, { ...group32, variant })
        for (const got of values(weight)) expect(got).toBeCloseTo(value, 2)
      }
    }
  })

  it('stores zero points whose dtype tells the variant', () => {
    const hp = randn([4, 64], { dtype: 'bfloat16' })
    expect(Int4PlainInt32Tensor.fromHp(hp, group32).zeroPoint.dtype).toBe('int8')
    const npu = Int4PlainInt32Tensor.fromHp(hp, { ...group32, variant: 'npu' })
    expect(npu.zeroPoint.dtype).toBe('bfloat16')
    expect(npu.zeroPoint.shape).toEqual([2, 4])
  })

  it('takes the bytes that it should', () => {
    const planned = (dtype: FloatDType, variant: Int4PlainInt32Variant): number =>
      Int4PlainInt32Tensor.fromHp(zeros([64, 256], dtype, meta), { ...group32, variant }).nbytes
    const groups = (64 * 256) / 32
    expect(planned('bfloat16', 'xpu')).toBe((64 * 256) / 2 + groups * 3)
    expect(planned('float16', 'npu')).toBe((64 * 256) / 2 + groups * 4)
  })

  it('refuses what it cannot do', () => {
    const hp = randn([4, 64])
    const make =
      (options: object, weight: Tensor = hp) =>
      () =>
        Int4PlainInt32Tensor.fromHp(weight, { ...group32, ...options })
    expect(make({ granularity: PerGroup(48) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected the group size to divide K=64, and to be a multiple of 8, got 48. Use 16, 32 or 64.]`,
    )
    expect(make({ granularity: PerGroup(4) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected the group size to divide K=64, and to be a multiple of 8, got 4. Use 8, 16 or 32.]`,
    )
    expect(make({ granularity: PerRow(0) })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-plain-int32] Expected PerGroup(n), or PerRow(), as the granularity of int4 weights, got {"type":"PerRow","dim":0}.]`,
    )
    expect(make({ chooseQparamsAlgorithm: 'HQQ' })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-plain-int32] Expected the algorithm TINYGEMM, got HQQ. HQQ goes with the tile-packed format.]`,
    )
    expect(make({}, cast(hp, 'int32'))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-plain-int32] Expected a weight of float32, float16 or bfloat16, got int32.]`,
    )
    expect(make({ granularity: PerGroup(64), variant: 'npu' })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-plain-int32] Expected a group size that is a multiple of 32 and smaller than K = 64, for the variant npu, got 64.]`,
    )
    expect(make({ granularity: PerGroup(16), variant: 'npu' })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-plain-int32] Expected a group size that is a multiple of 32 and smaller than K = 64, for the variant npu, got 16.]`,
    )
  })

  it('refuses parts that do not fit each other', () => {
    const { qdata, scale, zeroPoint, blockSize, shape } = Int4PlainInt32Tensor.fromHp(
      randn([4, 64], { dtype: 'bfloat16' }),
      group32,
    )
    const make = (parts: object) => () =>
      new Int4PlainInt32Tensor({ qdata, scale, zeroPoint, blockSize, shape, ...parts })
    expect(make({ qdata: cast(qdata, 'int8') })).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-plain-int32] Expected qdata of int32, got int8.]`,
    )
    expect(make({ scale: cast(scale, 'int8') })).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-plain-int32] Expected scale of float32 or float16 or bfloat16, got int8.]`,
    )
    expect(make({ zeroPoint: cast(zeroPoint, 'float32') })).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-plain-int32] Expected zeroPoint of int8 or bfloat16, got float32.]`,
    )
    expect(make({ shape: [64, 8] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected qdata of shape [64, 1], got [4, 8].]`,
    )
    expect(make({ scale: scale.transpose(0, 1) })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected scale of shape [2, 4], got [4, 2].]`,
    )
  })
})

describe('linear', () => {
  it('multiplies the input by actPreScale first', () => {
    const weight = Int4PlainInt32Tensor.fromHp(randn([8, 64]), group32)
    const actPreScale = randn([64], { seed: 7 })
    const x = randn([3, 64], { seed: 2 })
    const scaled = linear(x, withPreScale(weight, actPreScale))
    expect(elements(scaled)).toEqual(elements(linear(mul(x, actPreScale), weight)))
  })

  it('adds the bias before it rounds', () => {
    const hp = randn([4, 64], { dtype: 'bfloat16' })
    const x = randn([2, 64], { dtype: 'bfloat16', seed: 2 })
    const bias = tensor([1, 2, 3, 4], { dtype: 'bfloat16' })
    for (const variant of VARIANTS) {
      const weight = Int4PlainInt32Tensor.fromHp(hp, { ...group32, variant })
      const product = linear(cast(x, 'float32'), weight)
      const sums = hostFloat32(product).map((y, i) => y + 1 + (i % 4))
      const expected = cast(tensor(sums, { shape: [2, 4] }), 'bfloat16')
      expect(elements(linear(x, weight, bias))).toEqual(elements(expected))
    }
  })

  it('refuses inputs, biases and weights that do not fit', () => {
    const weight = Int4PlainInt32Tensor.fromHp(randn([8, 64]), group32)
    expect(() => linear(randn([2, 32]), weight)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected an input of shape [..., 64] for a weight of shape (out, in) = [8, 64], got [2, 32].]`,
    )
    const short = randn([4])
    expect(() => linear(randn([2, 64]), weight, short)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected a bias of 8 elements, got shape [4].]`,
    )
    const transposed = weight.transpose(0, 1)
    expect(() => linear(randn([2, 8]), transposed)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-plain-int32] Expected a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm, got shape [64, 8] with blocks of [32, 1]. Transpose it back, or call dequantize().]`,
    )
    expect(() => linear(weight, randn([8, 64]))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-plain-int32] Expected a weight of the format Int4PlainInt32Tensor, and no other quantized tensor beside it, got tensor([8, 64], dtype=float32). Call dequantize() on the other one.]`,
    )
  })
})

describe('experts', () => {
  const make = (variant: Int4PlainInt32Variant = 'xpu'): Int4PlainInt32Tensor =>
    Int4PlainInt32Tensor.fromHp(randn([2, 8, 64]), { ...experts32, variant })

  it.each(VARIANTS)('each quantizes as it does alone: %s', (variant) => {
    const hp = randn([2, 8, 64])
    for (const e of [0, 1]) {
      const alone = Int4PlainInt32Tensor.fromHp(hp.select(0, e), { ...group32, variant })
      expect(values(make(variant).select(0, e))).toEqual(values(alone))
    }
  })

  it('multiplies each batch with its expert, stored or transposed', () => {
    const x = randn([2, 3, 64], { seed: 2 })
    const y = bmm(x, make())
    const exact = bmm(x, make().dequantize().transpose(1, 2))
    expect(sqnr(hostFloat32(exact), hostFloat32(y))).toBeGreaterThan(120)
    expect(elements(bmm(x, make().transpose(1, 2)))).toEqual(elements(y))
    expect(() => bmm(randn([2, 3, 32]), make())).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected an input (E, M, K) and experts (E, N, K) for bmm, got [2, 3, 32] and [2, 8, 64].]`,
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

  it('joins hidden sizes of loaded parts, of one variant', () => {
    const other = Int4PlainInt32Tensor.fromHp(randn([2, 8, 64], { seed: 5 }), experts32)
    for (const dim of [0, 1, 2]) {
      const joined = cat([make(), other], dim)
      const dense = cat([make().dequantize(), other.dequantize()], dim)
      expect(values(joined)).toEqual(elements(dense))
    }
    expect(() => cat([make('npu'), other])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected weights of equal attributes for cat, as the first: {"blockSize":[1,1,32],"dtype":"float32","variant":"npu"}, got {"blockSize":[1,1,32],"dtype":"float32","variant":"xpu"}.]`,
    )
    const scaled = withPreScale(other, randn([64]))
    expect(() => cat([scaled, other])).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-plain-int32] Expected weights without activation scales for cat, got one that has them. Call dequantize() to work on the plain tensor.]`,
    )
  })

  it('selects an expert as a view', () => {
    const weight = make()
    const expert = weight.select(0, 1) as Int4PlainInt32Tensor
    expert.copy_(Int4PlainInt32Tensor.fromHp(randn([8, 64], { seed: 9 }), group32))
    expect(values(weight).slice(8 * 64)).toEqual(values(expert))
  })
})

describe('views', () => {
  it('keep the law view(dequantize) = dequantize(view) for slices at groups', () => {
    const weight = Int4PlainInt32Tensor.fromHp(randn([12, 128]), group32)
    const rows = fc.tuple(fc.nat(12), fc.nat(12))
    const groups = fc.tuple(fc.nat(4), fc.nat(4))
    fc.assert(
      fc.property(rows, groups, (r, g) => {
        const [r0, r1] = r.sort((a, b) => a - b)
        const [g0, g1] = g.sort((a, b) => a - b).map((group) => 32 * group)
        const part = weight.slice(0, r0, r1).slice(1, g0, g1)
        const expected = weight.dequantize().slice(0, r0, r1).slice(1, g0, g1)
        if (numelOf(part.shape) > 0) expect(values(part)).toEqual(elements(expected.contiguous()))
        else expect(part.shape).toEqual(expected.shape)
      }),
    )
  })

  it('share storage with the weight, scales too', () => {
    const weight = Int4PlainInt32Tensor.fromHp(randn([4, 64]), group32)
    const part = weight.narrow(1, 32, 32) as Int4PlainInt32Tensor
    expect(part.qdata.storage).toBe(weight.qdata.storage)
    expect(part.scale.storage).toBe(weight.scale.storage)
    expect(part.zeroPoint.storage).toBe(weight.zeroPoint.storage)
  })

  it('take the part of actPreScale that goes with a slice along K', () => {
    const actPreScale = randn([64])
    const weight = Int4PlainInt32Tensor.fromHp(randn([4, 64]), group32)
    const part = withPreScale(weight, actPreScale).slice(1, 32) as Int4PlainInt32Tensor
    expect(elements(part.actPreScale as DenseTensor)).toEqual(elements(actPreScale.slice(0, 32)))
  })

  it('refuse what would cut a group', () => {
    const weight = Int4PlainInt32Tensor.fromHp(randn([4, 64]), group32)
    expect(() => weight.slice(1, 16, 48)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected a slice of dimension 1 (size 64) in whole blocks of 32, which share a scale, got 16 to 48. Slice at multiples of 32, or dequantize() first.]`,
    )
    expect(() => weight.slice(0, 0, 4, 2)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-plain-int32] Expected a slice of step 1, got step 2. Pick rows with index(weight, rows).]`,
    )
    expect(() => weight.select(1, 0)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-plain-int32] Expected a dimension whose codes are not packed to select from, got dimension 1. Call dequantize() to work on the plain tensor.]`,
    )
    expect(() => weight.view([16, 16])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-plain-int32] Expected a shape that keeps blocks of [1, 32] in [4, 64] whole, got [16, 16]. Call dequantize() to work on the plain tensor.]`,
    )
  })
})

describe('codes', () => {
  it.each(VARIANTS)('go out and come back exactly: %s', (variant) => {
    const hp = randn([4, 64], { dtype: 'bfloat16' })
    const weight = Int4PlainInt32Tensor.fromHp(hp, { ...group32, variant })
    const again = Int4PlainInt32Tensor.fromCodes(weight.toCodes())
    for (const name of ['qdata', 'scale', 'zeroPoint'] as const) {
      expect(again[name].dtype).toBe(weight[name].dtype)
      expect(elements(again[name])).toEqual(elements(weight[name]))
    }
  })

  it('mean the same in both variants', () => {
    const { codes, scale, zeroPoint, ...rest } = Int4PlainInt32Tensor.fromHp(
      randn([4, 64]),
      group32,
    ).toCodes()
    const asFloat = { domain: 'INT', values: cast(zeroPoint!.values, 'float32') } as const
    const npu = Int4PlainInt32Tensor.fromCodes({ codes, scale, zeroPoint: asFloat, ...rest })
    const xpu = Int4PlainInt32Tensor.fromCodes({ codes, scale, zeroPoint, ...rest })
    expect(npu.zeroPoint.dtype).toBe('float32')
    expect(values(npu)).toEqual(values(xpu))
  })

  it('without a zero point stand for values around zero', () => {
    const { codes, scale } = Int4PlainInt32Tensor.fromHp(randn([2, 32]), group32).toCodes()
    const plain: Int4Codes = { codes, scale, zeroPoint: undefined, groupSize: 32, dtype: 'float32' }
    const weight = Int4PlainInt32Tensor.fromCodes(plain)
    expect(new Set(elements(weight.zeroPoint))).toEqual(new Set([8]))
    // The plain format takes such codes too.
    expect(values(weight)).toEqual(elements(Int4Tensor.fromCodes(plain).dequantize()))
  })

  it('with floating zero points are refused', () => {
    const floating = Int4Tensor.fromHp(randn([2, 32]), group32).toCodes()
    expect(() => Int4PlainInt32Tensor.fromCodes(floating)).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-plain-int32] Expected codes with an integer zero point, or none, got a floating one. Quantize the float weight with Int4PlainInt32Tensor.fromHp instead.]`,
    )
  })
})
