import {
  bmm,
  cast,
  cat,
  fromBfloat16Bits,
  hostFloat32,
  linear,
  meta,
  mul,
  numelOf,
  tensor,
  zeros,
  type DenseTensor,
  type Tensor,
} from '@ao/base-tensor'
import { PerGroup, PerRow } from '@ao/granularity'
import { Int4PlainInt32Tensor } from '@ao/int4-plain-int32'
import type { Int4Codes } from '@ao/quantized-linear'
import { sqnr } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Int4TilePackedTo4dTensor,
  packInt4Tiles,
  unpackInt4Tiles,
  type Int4TilePackedTo4dFields,
} from '../src/index.ts'

const group32 = { granularity: PerGroup(32) }
const experts32 = { granularity: PerGroup(32) }
const bf16 = (shape: readonly number[], seed = 1) => randn(shape, { dtype: 'bfloat16', seed })

function make(shape: readonly number[], seed = 1): Int4TilePackedTo4dTensor {
  return Int4TilePackedTo4dTensor.fromHp(
    bf16(shape, seed),
    shape.length === 2 ? group32 : experts32,
  )
}

function withParts(weight: Int4TilePackedTo4dTensor, parts: Partial<Int4TilePackedTo4dFields>) {
  const { qdata, scaleAndZero, blockSize, shape } = weight
  return new Int4TilePackedTo4dTensor({ qdata, scaleAndZero, blockSize, shape, ...parts })
}

function values(weight: Tensor): number[] {
  return elements((weight as Int4TilePackedTo4dTensor).dequantize('float32'))
}

describe('tiles', () => {
  it('bring back every code from every place', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }))
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.nat(15)), ([a, b], stream) => {
        const shape = [8 * a, 128 * b]
        const list = Float32Array.from(stream.take(numelOf(shape)))
        const codes = tensor(list, { shape, dtype: 'uint8' })
        const qdata = packInt4Tiles(codes)
        expect(qdata.shape).toEqual([a, b, 32, 4])
        expect(elements(unpackInt4Tiles(qdata))).toEqual(elements(codes))
      }),
      { numRuns: 20 },
    )
  })

  it('hold the codes of a word where layout.ts says', () => {
    const codes = zeros([16, 256], 'uint8')
    const [a, b, t, c] = [1, 1, 22, 3] as const
    const n = 8 * a + Math.floor(t / 4)
    const k = 128 * b + 32 * c + 2 * (t % 4)
    const nibbles = [0, 8, 16, 24, 1, 9, 17, 25]
    nibbles.forEach((offset, i) => {
      codes
        .select(0, n)
        .narrow(0, k + offset, 1)
        .copy_(tensor([i + 1], { dtype: 'uint8' }))
    })
    const qdata = packInt4Tiles(codes) as DenseTensor
    const word = qdata.select(0, a).select(0, b).select(0, t).select(0, c)
    expect(elements(word)).toEqual([0x87654321 | 0])
    expect(elements(qdata).filter((each) => each !== 0)).toHaveLength(1)
  })
})

describe('fromHp', () => {
  it('pads K to 1024 and N to a tile, or to two', () => {
    const weight = make([20, 200])
    expect(weight.shape).toEqual([20, 200])
    expect(weight.qdata.shape).toEqual([3, 8, 32, 4])
    expect(weight.scaleAndZero.shape).toEqual([32, 24, 2])
    const wide = Int4TilePackedTo4dTensor.fromHp(bf16([20, 200]), { ...group32, ntileSize: 16 })
    expect(wide.qdata.shape).toEqual([4, 8, 32, 4])
    expect(values(wide)).toEqual(values(weight))
  })

  it('gives padding the value 0', () => {
    const weight = withParts(make([20, 200]), { shape: [24, 1024] }).dequantize()
    expect(new Set(elements(weight.slice(0, 20).contiguous()))).toEqual(new Set([0]))
    expect(new Set(elements(weight.slice(1, 224).contiguous()))).toEqual(new Set([0]))
  })

  it('stands for groups of equal values', () => {
    for (const chooseQparamsAlgorithm of ['TINYGEMM', 'HQQ'] as const) {
      for (const value of [0, 3, -0.5]) {
        const row = Array.from({ length: 64 }, () => value)
        const hp = tensor([row], { dtype: 'bfloat16' })
        const options = { ...group32, chooseQparamsAlgorithm }
        const weight = Int4TilePackedTo4dTensor.fromHp(hp, options)
        for (const got of values(weight)) expect(got).toBeCloseTo(value, 2)
      }
    }
  })

  it('quantizes experts as it does each alone', () => {
    for (const chooseQparamsAlgorithm of ['TINYGEMM', 'HQQ'] as const) {
      const hp = bf16([2, 9, 96])
      const experts = Int4TilePackedTo4dTensor.fromHp(hp, { ...experts32, chooseQparamsAlgorithm })
      expect(experts.qdata.shape).toEqual([2, 2, 8, 32, 4])
      expect(experts.scaleAndZero.shape).toEqual([2, 32, 16, 2])
      for (const e of [0, 1]) {
        const options = { ...group32, chooseQparamsAlgorithm }
        const alone = Int4TilePackedTo4dTensor.fromHp(hp.select(0, e), options)
        const expert = experts.select(0, e) as Int4TilePackedTo4dTensor
        expect(elements(expert.qdata)).toEqual(elements(alone.qdata))
        expect(elements(expert.scaleAndZero)).toEqual(elements(alone.scaleAndZero))
      }
    }
  })

  it('plans experts and HQQ on the meta device', () => {
    const options = { ...experts32, chooseQparamsAlgorithm: 'HQQ' } as const
    const planned = Int4TilePackedTo4dTensor.fromHp(zeros([2, 9, 96], 'bfloat16', meta), options)
    expect(planned.nbytes).toBe(make([2, 9, 96]).nbytes)
    expect(planned.toCodes().scale.shape).toEqual([2, 3, 9])
  })

  it('has less error with HQQ where outliers stretch the range', () => {
    const hp = cast(
      mul(bf16([16, 1024]), bf16([16, 1024], 2)), // heavy tails
      'bfloat16',
    )
    const errorOf = (chooseQparamsAlgorithm: 'TINYGEMM' | 'HQQ'): number => {
      const options = { granularity: PerGroup(128), chooseQparamsAlgorithm }
      const weight = Int4TilePackedTo4dTensor.fromHp(hp, options)
      const exact = hostFloat32(hp)
      const got = hostFloat32(weight.dequantize())
      return got.reduce((sum, x, i) => sum + Math.abs(x - (exact[i] as number)) ** 0.7, 0)
    }
    expect(errorOf('HQQ')).toBeLessThan(errorOf('TINYGEMM'))
  })

  it('refuses what it cannot do', () => {
    const quantize =
      (options: object, hp: Tensor = bf16([8, 64])) =>
      () =>
        Int4TilePackedTo4dTensor.fromHp(hp, { ...group32, ...options })
    expect(quantize({}, randn([8, 64]))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-tile-packed-to-4d] Expected a weight of bfloat16, got float32. Use cast(weight, 'bfloat16') first.]`,
    )
    expect(quantize({ granularity: PerGroup(48) })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-tile-packed-to-4d] Expected a block size of ones and a group of 32, 64, 128 or 256, for shape [8, 64], got [1, 48].]`,
    )
    expect(quantize({ granularity: PerRow(0) })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-tile-packed-to-4d] Expected PerGroup(n), or PerRow(), as the granularity of int4 weights, got {"type":"PerRow","dim":0}.]`,
    )
    expect(quantize({ ntileSize: 32 })).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-tile-packed-to-4d] Expected an ntileSize of 8 or 16, got 32.]`,
    )
    expect(quantize({}, bf16([64]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected a weight (N, K) or (E, N, K), got [64].]`,
    )
  })

  it('refuses parts that do not fit each other', () => {
    const weight = make([20, 200])
    const { qdata, scaleAndZero } = weight
    const build = (parts: object) => () => withParts(weight, parts)
    expect(build({ qdata: cast(qdata, 'int8') })).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-tile-packed-to-4d] Expected qdata of int32, got int8.]`,
    )
    expect(
      build({ scaleAndZero: cast(scaleAndZero, 'float32') }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-tile-packed-to-4d] Expected scaleAndZero of bfloat16, got float32.]`,
    )
    expect(build({ shape: [20, 2000] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected qdata of shape [3, 16, 32, 4], got [3, 8, 32, 4].]`,
    )
    expect(build({ blockSize: [1, 64] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected scaleAndZero of shape [16, 24, 2], got [32, 24, 2].]`,
    )
    // 64 lanes: how a GPU of another maker tiles.
    const wide = zeros([2, 8, 64, 4], 'int32')
    expect(build({ qdata: wide })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected qdata of shape [3, 8, 32, 4], got [2, 8, 64, 4].]`,
    )
  })
})

describe('linear', () => {
  it('takes inputs of any dtype, and gives that', () => {
    const weight = make([16, 200])
    const x = randn([3, 200], { seed: 2 })
    const y = linear(cast(x, 'bfloat16'), weight)
    expect(linear(x, weight).dtype).toBe('float32')
    expect(elements(cast(linear(x, weight), 'bfloat16'))).toEqual(elements(y))
    const half = linear(cast(x, 'float16'), weight)
    expect(half.dtype).toBe('float16')
    expect(sqnr(hostFloat32(y), hostFloat32(half))).toBeGreaterThan(40)
  })

  it('multiplies with the values that it dequantizes to', () => {
    const weight = make([20, 1100])
    const x = bf16([2, 1100], 2)
    const exact = linear(cast(x, 'float32'), weight.dequantize('float32'))
    expect(elements(linear(x, weight))).toEqual(elements(cast(exact, 'bfloat16')))
  })

  it('multiplies the input by actPreScale first', () => {
    const weight = make([8, 64])
    const actPreScale = bf16([64], 7)
    const x = bf16([3, 64], 2)
    const scaled = linear(x, withParts(weight, { actPreScale }))
    expect(elements(scaled)).toEqual(elements(linear(mul(x, actPreScale), weight)))
  })

  it('adds the bias before it rounds', () => {
    const weight = make([4, 64])
    const x = bf16([2, 64], 2)
    const bias = tensor([1, 2, 3, 4], { dtype: 'bfloat16' })
    const separate = hostFloat32(linear(cast(x, 'float32'), weight)).map((y, i) => y + 1 + (i % 4))
    const expected = cast(tensor(separate, { shape: [2, 4] }), 'bfloat16')
    expect(elements(linear(x, weight, bias))).toEqual(elements(expected))
  })

  it('refuses inputs, biases and weights that do not fit', () => {
    const weight = make([8, 64])
    expect(() => linear(bf16([2, 32]), weight)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected an input of shape [..., 64] for a weight of shape (out, in) = [8, 64], got [2, 32].]`,
    )
    expect(() => linear(bf16([2, 64]), weight, bf16([4]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected a bias of 8 elements, got shape [4].]`,
    )
    expect(() => linear(bf16([2, 64]), make([2, 8, 64]))).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-tile-packed-to-4d] Expected a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm, got shape [2, 8, 64] with blocks of [1, 1, 32]. Transpose it back, or call dequantize().]`,
    )
    expect(() => linear(weight, bf16([8, 64]))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: [@ao/int4-tile-packed-to-4d] Expected a weight of the format Int4TilePackedTo4dTensor, and no other quantized tensor beside it, got tensor([8, 64], dtype=bfloat16). Call dequantize() on the other one.]`,
    )
  })
})

describe('experts', () => {
  it('multiply each batch', () => {
    const weight = make([2, 12, 96])
    const x = bf16([2, 3, 96], 2)
    const y = bmm(x, weight)
    expect([y.shape, y.dtype]).toEqual([[2, 3, 12], 'bfloat16'])
    const exact = bmm(cast(x, 'float32'), weight.dequantize('float32').transpose(1, 2))
    expect(elements(y)).toEqual(elements(cast(exact, 'bfloat16')))
    expect(() => bmm(bf16([2, 3, 64]), weight)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected an input (E, M, K) and experts (E, N, K) for bmm, got [2, 3, 64] and [2, 12, 96].]`,
    )
    expect(() => bmm(x, make([12, 96]))).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-tile-packed-to-4d] Expected a weight (N, K) with groups along K for linear, or experts (E, N, K) for bmm, got shape [12, 96] with blocks of [1, 32]. Transpose it back, or call dequantize().]`,
    )
  })

  it('are selected as views', () => {
    const weight = make([2, 8, 64])
    const other = make([8, 64], 9)
    weight.select(0, 1).copy_(other)
    expect(values(weight).slice(8 * 64)).toEqual(values(other))
    expect(values(weight.select(0, -1))).toEqual(values(other))
  })
})

describe('slices', () => {
  it('keep the law slice(dequantize) = dequantize(slice), with padding too', () => {
    const weight = Int4TilePackedTo4dTensor.fromHp(bf16([20, 2500]), { ...group32, ntileSize: 16 })
    const hp = weight.dequantize()
    const ends = (size: number, step: number): number[] => [
      ...Array.from({ length: Math.ceil(size / step) }, (_, i) => i * step),
      size,
    ]
    for (const [dim, step] of [
      [0, 8],
      [1, 1024],
    ] as const) {
      const all = ends(weight.shape[dim] as number, step)
      for (const start of all) {
        for (const end of all.filter((each) => each >= start)) {
          const part = weight.slice(dim, start, end) as Int4TilePackedTo4dTensor
          const expected = hp.slice(dim, start, end).contiguous()
          expect(part.shape).toEqual(expected.shape)
          expect(elements(part.dequantize())).toEqual(elements(expected))
          if (start < end) expect(part.qdata.storage).toBe(weight.qdata.storage)
        }
      }
    }
  })

  it('keep the law for experts, too', () => {
    const experts = make([3, 20, 2048])
    const ranges = { 0: [1, 3], 1: [8, 20], 2: [1024, 2048] } as const
    for (const [dim, [start, end]] of Object.entries(ranges).map(([d, r]) => [+d, r] as const)) {
      const part = experts.slice(dim, start, end) as Int4TilePackedTo4dTensor
      const expected = experts.dequantize().slice(dim, start, end).contiguous()
      expect(part.shape).toEqual(expected.shape)
      expect(elements(part.dequantize())).toEqual(elements(expected))
    }
  })

  it('multiply as their values do', () => {
    const weight = make([16, 2048])
    const part = weight.slice(1, 1024).slice(0, 8)
    const x = bf16([2, 1024], 3)
    const values = (part as Int4TilePackedTo4dTensor).dequantize('float32')
    const exact = linear(cast(x, 'float32'), values)
    expect(elements(linear(x, part))).toEqual(elements(cast(exact, 'bfloat16')))
  })

  it('take the part of actPreScale that goes with a slice along K', () => {
    const actPreScale = bf16([2048])
    const weight = withParts(make([8, 2048]), { actPreScale })
    const part = weight.slice(1, 1024) as Int4TilePackedTo4dTensor
    const expected = elements(actPreScale.slice(0, 1024))
    expect(elements(part.actPreScale as DenseTensor)).toEqual(expected)
  })

  it('are refused where they would cut a tile, and views where tiles cannot show them', () => {
    const weight = make([16, 2048])
    expect(() => weight.slice(0, 4, 16)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected a slice of dimension 0 (size 16) at multiples of 8, got 4 to 16. Slice at multiples of 8, or dequantize() first.]`,
    )
    expect(() => weight.slice(1, 0, 128)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected a slice of dimension 1 (size 2048) at multiples of 1024, got 0 to 128. Slice at multiples of 1024, or dequantize() first.]`,
    )
    expect(() => weight.slice(0, 0, 16, 2)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-tile-packed-to-4d] Expected a slice of step 1, got step 2. Call dequantize() first.]`,
    )
    expect(() => weight.select(0, 0)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/int4-tile-packed-to-4d] Expected dimension 0 of experts (E, N, K) to select from, got dimension 0 of [16, 2048]. Call dequantize() first.]`,
    )
    expect(() => weight.transpose(0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[UnsupportedOpError: [@ao/base-tensor] Expected an operation that Int4TilePackedTo4dTensor has (bmm, linear, select, slice), got transpose(Int4TilePackedTo4dTensor, 0, 1). Call dequantize() to work on the plain tensor.]`,
    )
    expect(() => cat([weight, weight])).toThrow('Int4TilePackedTo4dTensor has (bmm, linear,')
  })
})

describe('codes', () => {
  it('go out without padding, and come back exactly', () => {
    const weight = make([20, 160])
    const codes = weight.toCodes()
    expect([codes.codes.shape, codes.scale.shape]).toEqual([
      [20, 160],
      [5, 20],
    ])
    const again = Int4TilePackedTo4dTensor.fromCodes(codes)
    expect([again.shape, again.blockSize]).toEqual([weight.shape, weight.blockSize])
    expect(values(again)).toEqual(values(weight))
    // Without padding, all parts come back.
    const whole = make([8, 1024])
    const back = Int4TilePackedTo4dTensor.fromCodes(whole.toCodes())
    expect(elements(back.qdata)).toEqual(elements(whole.qdata))
    expect(elements(back.scaleAndZero)).toEqual(elements(whole.scaleAndZero))
    const experts = make([2, 8, 64])
    expect(values(Int4TilePackedTo4dTensor.fromCodes(experts.toCodes()))).toEqual(values(experts))
  })

  it('without a zero point stand for values around zero', () => {
    const { codes, scale, groupSize, dtype } = make([8, 64]).toCodes()
    const plain: Int4Codes = { codes, scale, zeroPoint: undefined, groupSize, dtype }
    const weight = Int4TilePackedTo4dTensor.fromCodes(plain)
    expect(values(weight)).toEqual(
      elements(Int4PlainInt32Tensor.fromCodes(plain).dequantize('bfloat16')).map(fromBfloat16Bits),
    )
  })

  it('with integer zero points are rounded only where allowed', () => {
    const plain = Int4PlainInt32Tensor.fromHp(bf16([8, 64]), group32)
    const codes = plain.toCodes()
    expect(() => Int4TilePackedTo4dTensor.fromCodes(codes)).toThrowErrorMatchingInlineSnapshot(
      `[ValueError: [@ao/int4-tile-packed-to-4d] Expected codes with scales of bfloat16, and a floating zero point or none, got an integer zero point. Quantize the float weight with fromHp, or pass { allowRounding: true }.]`,
    )
    const rounded = Int4TilePackedTo4dTensor.fromCodes(codes, { allowRounding: true })
    const error = sqnr(hostFloat32(plain.dequantize('float32')), values(rounded))
    expect(error).toBeGreaterThan(45)
    const wide = Int4PlainInt32Tensor.fromHp(randn([8, 64]), group32).toCodes()
    expect(Int4TilePackedTo4dTensor.fromCodes(wide, { allowRounding: true }).dtype).toBe('bfloat16')
  })

  it('are refused where a group ends in padding', () => {
    const weight = Int4TilePackedTo4dTensor.fromHp(bf16([8, 100]), group32)
    expect(() => weight.toCodes()).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: [@ao/int4-tile-packed-to-4d] Expected groups of 32 that divide K, got 100. Call dequantize(), and quantize that.]`,
    )
  })
})
