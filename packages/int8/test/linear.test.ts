import {
  bmm,
  cast,
  cpu,
  embedding,
  hostFloat32,
  linear,
  matmul,
  tensor,
  UnsupportedOpError,
  type DenseTensor,
  type Device,
} from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
import { sqnr } from '@ao/test-kit'
import { elements, randn } from '@ao/test-tensors'
import { describe, expect, it } from 'vitest'
import { Int8Tensor, QuantizeTensorToInt8Kwargs } from '../src/index.ts'
import { dense, DTYPES } from './support.ts'

const dynamic = QuantizeTensorToInt8Kwargs()
const values = (y: unknown): number[] => Array.from(hostFloat32(y as DenseTensor))

describe('linear', () => {
  it('takes the steps of the worked example of static quantization', () => {
    const weight = Int8Tensor.fromHp(dense([[0.5, -1]]), {
      granularity: PerRow(),
      actQuantKwargs: QuantizeTensorToInt8Kwargs({ granularity: PerTensor() }),
      actQuantScale: dense([[0.02]]),
    })
    // 1 / 127.5 as float32 has a reciprocal just below 127.5: -127, not -128.
    expect(elements(weight.qdata)).toEqual([64, -127])
    const y = linear(dense([[1, -2]]), weight)
    expect(values(y)).toEqual([
      Math.fround(Math.fround(15900 * Math.fround(0.02)) * Math.fround(1 / 127.5)),
    ])
  })

  it.each(DTYPES)('gives each row the same result in any batch, in %s', (dtype) => {
    const hp = randn([37, 96], { dtype })
    const x = randn([33, 96], { dtype, seed: 2 })
    for (const actQuantKwargs of [undefined, dynamic]) {
      for (const granularity of [PerRow(), PerTensor()]) {
        const weight = Int8Tensor.fromHp(hp, { granularity, actQuantKwargs })
        const whole = values(linear(x, weight))
        for (const row of [0, 16, 32]) {
          const one = values(linear(x.narrow(0, row, 1), weight))
          expect(one).toEqual(whole.slice(row * 37, (row + 1) * 37))
        }
      }
    }
  })

  it('sums codes exactly where float32 could not', () => {
    const k = 1 << 16 // 2^16 products of 2^14 pass float32's 24 bits
    const rows = new Float32Array(2 * k).fill(-1)
    rows[0] = 1
    const hp = tensor(rows, { shape: [2, k] })
    const weight = Int8Tensor.fromHp(hp, { granularity: PerRow(), actQuantKwargs: dynamic })
    const x = tensor(new Float32Array(k).fill(-1), { shape: [1, k] })
    const codes = Int8Tensor.fromHp(x, {
      granularity: dynamic.granularity,
      mappingType: dynamic.mappingType,
      reduceRange: dynamic.reduceRange,
    })
    const [first, second] = values(linear(x, weight)) as [number, number]
    const exact = [0, 1].map((row) => {
      const sum = elements(weight.qdata)
        .slice(row * k, (row + 1) * k)
        .reduce(
          (total, code) => total + code * (elements(codes.qdata.narrow(1, 0, 1))[0] as number),
          0,
        )
      return Math.fround(
        Math.fround(Math.fround(sum) * values(codes.scale)[0]!) * values(weight.scale)[row]!,
      )
    })
    expect([first, second]).toEqual(exact)
  })

  it('honours zero points of weights', () => {
    const hp = tensor(
      values(randn([16, 64])).map((value) => value + 3),
      { shape: [16, 64] },
    )
    const x = randn([4, 64], { seed: 2 })
    const reference = values(linear(x, hp))
    for (const granularity of [PerRow(), PerTensor(), PerGroup(16)]) {
      const options = { granularity, mappingType: 'ASYMMETRIC' } as const
      const weightOnly = Int8Tensor.fromHp(hp, options)
      expect(sqnr(reference, values(linear(x, weightOnly)))).toBeGreaterThan(45)
    }
    for (const mappingType of ['SYMMETRIC', 'ASYMMETRIC'] as const) {
      const actQuantKwargs = QuantizeTensorToInt8Kwargs({ mappingType })
      const weight = Int8Tensor.fromHp(hp, {
        granularity: PerRow(),
        mappingType: 'ASYMMETRIC',
        actQuantKwargs,
      })
      expect(sqnr(reference, values(linear(x, weight)))).toBeGreaterThan(40)
    }
  })

  it('leaves an input of one token in full precision with weightOnlyDecode', () => {
    const hp = randn([32, 64])
    const granularity = PerRow()
    const actQuantKwargs = QuantizeTensorToInt8Kwargs({ weightOnlyDecode: true })
    const decode = Int8Tensor.fromHp(hp, { granularity, actQuantKwargs })
    const always = Int8Tensor.fromHp(hp, { granularity, actQuantKwargs: dynamic })
    const weightOnly = Int8Tensor.fromHp(hp, { granularity })
    for (const shape of [[64], [1, 64], [3, 1, 64]]) {
      const x = randn(shape, { seed: 2 })
      expect(values(linear(x, decode))).toEqual(values(linear(x, weightOnly)))
      expect(values(linear(x, always))).not.toEqual(values(linear(x, weightOnly)))
    }
    const prompt = randn([2, 5, 64], { seed: 2 })
    expect(values(linear(prompt, decode))).toEqual(values(linear(prompt, always)))
  })

  it('keeps the input dtype when a float32 pre-scale meets a shorter input', () => {
    const hp = randn([8, 32], { dtype: 'bfloat16' })
    const actPreScale = tensor(new Float32Array(32).fill(2))
    const x = randn([4, 32], { dtype: 'bfloat16', seed: 2 })
    for (const actQuantKwargs of [undefined, dynamic]) {
      const plain = Int8Tensor.fromHp(hp, { granularity: PerRow(), actQuantKwargs })
      const scaled = Int8Tensor.fromHp(hp, { granularity: PerRow(), actQuantKwargs, actPreScale })
      const y = linear(x, scaled)
      expect(y.dtype).toBe('bfloat16')
      const twice = values(linear(x, plain)).map((value) => 2 * value)
      expect(sqnr(twice, values(y))).toBeGreaterThan(45)
    }
  })

  it('quantizes a static activation of any rank by one scale, or one a token', () => {
    const hp = randn([8, 32])
    const x = randn([2, 3, 32], { seed: 2 })
    const rows = Int8Tensor.fromHp(x.view([6, 32]), {
      granularity: dynamic.granularity,
      mappingType: dynamic.mappingType,
    })
    for (const [granularity, actQuantScale] of [
      [PerTensor(), dense([[0.03]])],
      [PerRow(), rows.scale],
      [PerRow(), rows.scale.view([2, 3, 1])],
    ] as const) {
      const weight = Int8Tensor.fromHp(hp, {
        granularity: PerRow(),
        actQuantKwargs: QuantizeTensorToInt8Kwargs({ granularity }),
        actQuantScale,
      })
      const flat = linear(x.view([6, 32]), weight)
      expect(values(linear(x, weight))).toEqual(values(flat))
      if (granularity.type === 'PerRow') {
        const dynamicWeight = Int8Tensor.fromHp(hp, { granularity, actQuantKwargs: dynamic })
        expect(values(flat)).toEqual(values(linear(x.view([6, 32]), dynamicWeight)))
      }
    }
    const scaled = (granularity: Granularity, ...scale: number[]): Int8Tensor =>
      Int8Tensor.fromHp(hp, {
        granularity: PerRow(),
        actQuantKwargs: QuantizeTensorToInt8Kwargs({ granularity }),
        actQuantScale: dense(scale.map((number) => [number])),
      })
    // One scale is for all tokens, whatever the granularity.
    const expected = values(linear(x, scaled(PerTensor(), 0.03)))
    expect(values(linear(x, scaled(PerRow(), 0.03)))).toEqual(expected)
    expect(() => linear(x, scaled(PerRow(), 0.03, 0.02))).toThrow(
      '[@ao/quantized-linear] Expected a scale of shape [6, 1] for values of shape [6, 32], got [2, 1].',
    )
  })

  it.each([
    [PerRow(), 'SYMMETRIC'],
    [PerRow(), 'ASYMMETRIC'],
    [PerTensor(), 'SYMMETRIC'],
    [PerTensor(), 'ASYMMETRIC'],
  ] as const)(
    'gives the same with a scale that was measured on the input, %o %s',
    (granularity, mappingType) => {
      const hp = randn([16, 32])
      const x = randn([6, 32], { seed: 2 })
      const actQuantKwargs = QuantizeTensorToInt8Kwargs({ granularity, mappingType })
      const measured = Int8Tensor.fromHp(x, { granularity, mappingType })
      const options = { granularity: PerRow(), actQuantKwargs }
      const dynamicWeight = Int8Tensor.fromHp(hp, options)
      const weight = Int8Tensor.fromHp(hp, {
        ...options,
        actQuantScale: measured.scale,
        actQuantZeroPoint: measured.zeroPoint,
      })
      expect(values(linear(x, weight))).toEqual(values(linear(x, dynamicWeight)))
      const half = linear(x.narrow(1, 0, 16), weight.narrow(1, 0, 16))
      const reference = linear(x.narrow(1, 0, 16), hp.narrow(1, 0, 16))
      expect(sqnr(values(reference), values(half))).toBeGreaterThan(30)
    },
  )

  it('multiplies with a transposed weight by its values', () => {
    const weight = Int8Tensor.fromHp(randn([16, 24]), { granularity: PerRow() })
    const x = randn([3, 16], { seed: 2 })
    const y = values(linear(x, weight.transpose(0, 1)))
    expect(sqnr(values(matmul(x, weight.dequantize())), y)).toBeGreaterThan(120)
  })

  it.each([
    ['groups', PerGroup(8), false, '[1, 8]'],
    ['a transposed weight', PerRow(), true, '[16, 1]'],
  ] as const)('refuses quantized activations with %s', (_, granularity, transposed, blocks) => {
    const stored = Int8Tensor.fromHp(randn([16, 16]), { granularity, actQuantKwargs: dynamic })
    const weight = transposed ? stored.transpose(0, 1) : stored
    expect(() => linear(randn([2, 16]), weight)).toThrow(
      `[@ao/int8] Expected one scale for all 16 elements of a row, to multiply with a quantized activation, got blocks of ${blocks}. Quantize the weight PerRow() or PerTensor().`,
    )
  })

  it('says what does not fit', () => {
    const weight = Int8Tensor.fromHp(randn([16, 32]), { granularity: PerRow() })
    expect(() => linear(randn([2, 31]), weight)).toThrow('an input of shape [..., 32]')
    expect(() => linear(randn([2, 32]), weight, randn([15]))).toThrow(
      '[@ao/int8] Expected a bias of 16 elements, got shape [15].',
    )
    expect(() => linear(dense([[1]], 'int8'), weight)).toThrow('an input of shape')
    expect(() => linear(weight, randn([16, 32]))).toThrow(
      '[@ao/int8] Expected a weight of the format Int8Tensor, and no other quantized tensor beside it, got tensor([16, 32], dtype=float32). Call dequantize() on the other one.',
    )
    const preScaled = Int8Tensor.fromHp(randn([16, 16]), {
      granularity: PerRow(),
      actPreScale: randn([16]),
    })
    expect(() => linear(randn([2, 16]), preScaled.transpose(0, 1))).toThrow(UnsupportedOpError)
  })

  it('runs on a device as one op of dense tensors for each way', async () => {
    const ran: string[] = []
    const device: Device = {
      ...cpu,
      name: 'recorder',
      isHost: false,
      allocate: (dtype, length) => ({ ...cpu.allocate(dtype, length), device }),
      upload: (dtype, array) => ({ ...cpu.upload(dtype, array), device }),
      run: (op, args) => {
        ran.push(op.opName)
        return (op.meta as typeof op.reference)(...args)
      },
    }
    const x = await randn([2, 32]).to(device)
    const opOf = async (weight: Int8Tensor): Promise<string> => {
      linear(x, await weight.to(device))
      return ran
        .splice(0)
        .filter((name) => name.startsWith('quantized_linear.'))
        .join()
    }
    const hp = randn([16, 32])
    const row = { granularity: PerRow(), actQuantKwargs: dynamic }
    const actQuantScale = dense([[0.1], [0.1]])
    expect(await opOf(Int8Tensor.fromHp(hp, { granularity: PerRow() }))).toBe(
      'quantized_linear.weightOnlyLinear',
    )
    expect(await opOf(Int8Tensor.fromHp(hp, { granularity: PerTensor() }))).toBe(
      'quantized_linear.weightOnlyLinear',
    )
    expect(await opOf(Int8Tensor.fromHp(hp, { granularity: PerGroup(8) }))).toBe(
      'quantized_linear.groupwiseLinear',
    )
    expect(await opOf(Int8Tensor.fromHp(hp, row))).toBe('quantized_linear.dynamicLinear')
    expect(await opOf(Int8Tensor.fromHp(hp, { ...row, actQuantScale }))).toBe(
      'quantized_linear.staticLinear',
    )
  })
})

describe('sums beyond float16', () => {
  const hp = tensor(
    Array.from({ length: 8 * 2048 }, (_, i) => 0.02 + 0.001 * Math.sin(i)),
    { shape: [8, 2048], dtype: 'float16' },
  )
  const filled = (shape: readonly number[], value: number): DenseTensor =>
    tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(value), { shape, dtype: 'float16' })
  const granularity = PerTensor()
  const STATIC = { actQuantKwargs: QuantizeTensorToInt8Kwargs({ granularity }) }
  const CASES = {
    'weight-only': {},
    'weight-only per tensor': { granularity },
    'weight-only per group': { granularity: PerGroup(32) },
    asymmetric: { mappingType: 'ASYMMETRIC' },
    dynamic: { actQuantKwargs: dynamic },
    'dynamic, asymmetric': {
      actQuantKwargs: QuantizeTensorToInt8Kwargs({ mappingType: 'ASYMMETRIC' }),
    },
    static: { ...STATIC, actQuantScale: dense([[0.5]]) },
    'static, of float16': { ...STATIC, actQuantScale: dense([[0.5]], 'float16') },
  } as const

  it.each(Object.entries(CASES))(
    'come out where their product with scales fits, %s',
    (_, options) => {
      const weight = Int8Tensor.fromHp(hp, options)
      const x = filled([3, 2048], 60)
      const expected = values(linear(x, hp))
      values(linear(x, weight)).forEach((y, i) => expect(y / expected[i]!).toBeCloseTo(1, 2))
      const experts = Int8Tensor.fromHp(hp.view([1, 8, 2048]), options)
      const y = values(bmm(x.view([1, 3, 2048]), experts))
      y.forEach((value, i) => expect(value / expected[i]!).toBeCloseTo(1, 2))
    },
  )

  it.each(Object.entries(CASES).slice(0, 6))(
    'come out where a bias brings them back, %s',
    (_, options) => {
      const weight = Int8Tensor.fromHp(hp, options)
      const x = filled([1, 2048], 1800)
      const y = values(linear(x, weight, filled([8], -65000)))
      const exact = values(linear(cast(x, 'float32'), cast(hp, 'float32')))
      y.forEach((value, i) => expect(Math.abs(value - (exact[i]! - 65000))).toBeLessThan(500))
    },
  )
})

describe('bmm', () => {
  const hp = randn([3, 16, 16], { seed: 5 })
  const x = randn([3, 4, 16], { seed: 6 })

  it.each([
    ['weight-only per row', { granularity: PerRow() }],
    ['weight-only per tensor', { granularity: PerTensor() }],
    ['weight-only per group', { granularity: PerGroup(8) }],
    ['dynamic', { granularity: PerRow(), actQuantKwargs: dynamic }],
  ])('multiplies with stored experts and with their transpose alike, %s', (_, options) => {
    const experts = Int8Tensor.fromHp(hp, options)
    const y = bmm(x, experts)
    expect(y.shape).toEqual([3, 4, 16])
    expect(values(bmm(x, experts.transpose(1, 2)))).toEqual(values(y))
    expect(sqnr(values(bmm(x, hp.transpose(1, 2))), values(y))).toBeGreaterThan(35)
    for (const e of [0, 1, 2]) {
      const one = linear(x.select(0, e), experts.select(0, e))
      expect(values(one)).toEqual(values(y.select(0, e)))
    }
  })

  it('tells what an input has to be', () => {
    const experts = Int8Tensor.fromHp(randn([2, 8, 16]), { granularity: PerRow() })
    expect(() => bmm(randn([2, 4, 8]), experts)).toThrow(
      '[@ao/int8] Expected an input (E, M, K) and experts (E, N, K) for bmm, got [2, 4, 8] and [2, 8, 16].',
    )
    expect(() => bmm(randn([2, 4, 16]), experts.select(0, 0))).toThrow('experts (E, N, K) for bmm')
  })

  // torchao's test of mixture-of-experts layers: shapes go there and back.
  it('survives the reshapes of experts', () => {
    for (const granularity of [PerRow(), PerTensor(), PerGroup(32)]) {
      const [e, n, k] = [2, 48, 64]
      const experts = Int8Tensor.fromHp(randn([e, n, k]), { granularity })
      const input = randn([e, 5, k], { seed: 2 })
      const before = values(bmm(input, experts))
      const merged = experts.transpose(1, 2).contiguous().view([-1, n])
      expect(merged.shape).toEqual([e * k, n])
      const split = merged.view([e, -1, n]).squeeze(0)
      const after = split.transpose(1, 2).contiguous()
      expect(values(bmm(input, after))).toEqual(before)
    }
  })
})

describe('embedding', () => {
  it.each([PerRow(), PerTensor(), PerGroup(8)])('dequantizes picked rows, $type', (granularity) => {
    const table = Int8Tensor.fromHp(randn([20, 16], { dtype: 'bfloat16' }), { granularity })
    const ids = dense(
      [
        [3, 19, 0],
        [3, 3, 7],
      ] as never,
      'int8',
    )
    const rows = embedding(ids, table)
    expect(rows.shape).toEqual([2, 3, 16])
    expect(elements(rows)).toEqual(elements(embedding(ids, table.dequantize())))
    expect(() => embedding(dense([20] as never, 'int8'), table)).toThrow('ids in 0..19')
  })
})
