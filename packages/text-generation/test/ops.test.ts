import {
  cpu,
  fromFloat32,
  hostFloat32,
  meta,
  roundToBfloat16,
  tensor,
  zeros,
  type DenseTensor,
  type FloatDType,
} from '@ao/base-tensor'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { attention } from '../src/ops/attention.ts'
import { rope } from '../src/ops/rope.ts'
import { gatedActivation } from '../src/ops/gated-activation.ts'
import { rotaryFrequencies } from '../src/rope-frequencies.ts'
import { rotaryTable } from '../src/rotary-table.ts'
import { mulberry32 } from '../src/sampler.ts'

function random(shape: number[], seed: number, dtype: FloatDType = 'float32'): DenseTensor {
  const next = mulberry32(seed)
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => next() * 4 - 2)
  return fromFloat32(values, shape, dtype)
}

/** Attention as it is written in papers, with tensors as nested lists. */
function plainAttention(q: Rows, k: Rows, v: Rows, length: number): number[] {
  return q.flatMap((heads, t) =>
    heads.flatMap((query, h) => {
      const visible = length - q.length + t + 1
      const pick = (rows: Rows) =>
        rows
          .slice(0, visible)
          .map((groups) => groups[Math.floor((h / heads.length) * groups.length)])
      const values = pick(v) as number[][]
      const weights = (pick(k) as number[][]).map((key) =>
        Math.exp(product(query, key) / Math.sqrt(query.length)),
      )
      const total = weights.reduce((a, b) => a + b)
      return query.map(
        (_, d) =>
          product(
            weights,
            values.map((value) => value[d] as number),
          ) / total,
      )
    }),
  )
}

/** (T, heads, D) */
type Rows = number[][][]

function product(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

function rows(tensor: DenseTensor): Rows {
  const [tokens, heads] = tensor.shape as [number, number, number]
  return Array.from({ length: tokens }, (_, t) =>
    Array.from({ length: heads }, (_, h) => [...hostFloat32(tensor.select(0, t).select(0, h))]),
  )
}

describe('attention', () => {
  it.each([
    { name: 'a whole prompt', tokens: 7, length: 7, heads: 4, groups: 4 },
    { name: 'grouped queries', tokens: 5, length: 5, heads: 6, groups: 2 },
    { name: 'one key head', tokens: 3, length: 9, heads: 4, groups: 1 },
    { name: 'one new token', tokens: 1, length: 6, heads: 4, groups: 2 },
  ])('is softmax(q k^T / sqrt(D)) v for $name', ({ tokens, length, heads, groups }) => {
    const q = random([tokens, heads, 8], 1)
    const k = random([12, groups, 8], 2)
    const v = random([12, groups, 8], 3)
    const out = hostFloat32(attention(q, k, v, length))
    expect(sqnr(plainAttention(rows(q), rows(k), rows(v), length), out)).toBeGreaterThan(130)
  })

  it('does not look beyond `length` nor ahead', () => {
    const q = random([2, 2, 4], 1)
    const [k, v] = [random([5, 2, 4], 2), random([5, 2, 4], 3)]
    const before = hostFloat32(attention(q, k, v, 3)).slice()
    k.narrow(0, 3, 2).copy_(random([2, 2, 4], 9))
    v.narrow(0, 3, 2).copy_(random([2, 2, 4], 9))
    expect(hostFloat32(attention(q, k, v, 3))).toEqual(before)
    v.narrow(0, 2, 1).copy_(random([1, 2, 4], 8)) // the second token's own value
    const after = hostFloat32(attention(q, k, v, 3))
    expect(after.slice(0, 8)).toEqual(before.slice(0, 8))
    expect(after.slice(8)).not.toEqual(before.slice(8))
  })

  it('stays finite for large scores', () => {
    const big = fromFloat32(new Float32Array(8).fill(1e18), [2, 1, 4], 'float32')
    expect([...hostFloat32(attention(big, big, big, 2))]).toEqual(
      new Array(8).fill(Math.fround(1e18)),
    )
  })

  it('rounds products, scores, weights and results to bfloat16, as transformers does', () => {
    const [q, k, v] = [1, 3, 3].map((tokens, i) => random([tokens, 1, 8], i + 1, 'bfloat16')) as [
      DenseTensor,
      DenseTensor,
      DenseTensor,
    ]
    const out = attention(q, k, v, 3)
    expect(out.dtype).toBe('bfloat16')
    const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b)
    const [queries, keys, values] = [q, k, v].map(rows) as [Rows, Rows, Rows]
    const query = queries[0]?.[0] as number[]
    const scores = keys.map(([key]) => {
      const product = sum(query.map((x, d) => x * (key?.[d] as number)))
      return roundToBfloat16(roundToBfloat16(product) / Math.sqrt(8))
    })
    const total = sum(scores.map(Math.exp))
    const weights = scores.map((score) => roundToBfloat16(Math.exp(score) / total))
    const expected = Array.from({ length: 8 }, (_, d) =>
      roundToBfloat16(
        sum(values.map(([value], t) => (weights[t] as number) * (value?.[d] as number))),
      ),
    )
    expect([...hostFloat32(out)]).toEqual(expected)
  })

  it('stays finite in float16 for products beyond it', () => {
    const big = fromFloat32(new Float32Array(8).fill(300), [2, 1, 4], 'float16')
    expect([...hostFloat32(attention(big, big, big, 2))]).toEqual(new Array(8).fill(300))
  })

  it('knows its shape without data, and refuses shapes that do not fit', () => {
    const at = (...shape: number[]) => zeros(shape, 'float32', meta)
    expect(attention(at(3, 4, 8), at(9, 2, 8), at(9, 2, 8), 5).shape).toEqual([3, 4, 8])
    expect(() => attention(at(3, 4, 8), at(9, 3, 8), at(9, 3, 8), 5)).toThrow(
      '[@ao/text-generation] Expected q of shape [T, H, D], keys and values of shape [capacity, G, D] with G ' +
        'dividing H and T <= length <= capacity, got [3, 4, 8], [9, 3, 8], [9, 3, 8] and length 5.',
    )
    expect(() => attention(at(3, 4, 8), at(9, 2, 8), at(9, 2, 8), 10)).toThrow('length 10')
    expect(() => attention(at(3, 4, 8), at(9, 2, 8), at(9, 2, 8), 2)).toThrow('length 2')
    const codes = zeros([1, 1, 2], 'int8')
    expect(() => attention(codes, codes, codes, 1)).toThrow('Expected attention of float32')
  })
})

describe('rotaryFrequencies', () => {
  it('falls from 1 by a power of theta', () => {
    const { inverseFrequencies: frequencies } = rotaryFrequencies(
      { type: 'default', theta: 10000 },
      8,
    )
    expect([...frequencies]).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround))
  })

  it('is divided by the factor of linear scaling', () => {
    const { inverseFrequencies: frequencies } = rotaryFrequencies(
      { type: 'linear', theta: 10000, factor: 4 },
      8,
    )
    expect([...frequencies]).toEqual([0.25, 0.025, 0.0025, 0.00025].map(Math.fround))
  })

  // transformers' formula for Llama 3.2 1B, computed with numpy in float32.
  const LLAMA_3_2 = [
    1.0, 0.6636012196540833, 0.44036662578582764, 0.2922278046607971, 0.193922758102417,
    0.12868738174438477, 0.08539710193872452, 0.05666961893439293, 0.03760603070259094,
    0.02495540864765644, 0.016560440883040428, 0.010989529080688953, 0.00729266507551074,
    0.00483942124992609, 0.0032114461064338684, 0.0012905480107292533, 0.000429556705057621,
    9.708286233944818e-5, 1.9461638657958247e-5, 1.2914768376504071e-5, 8.570255886297673e-6,
    5.687231805495685e-6, 3.7740544485131977e-6, 2.5044669200724456e-6, 1.6619676443951903e-6,
    1.1028836297555245e-6, 7.318749339901842e-7, 4.856731266045244e-7, 3.2229328894572973e-7,
    2.1387423032592778e-7, 1.4192720243499934e-7, 9.41830720080361e-8,
  ]

  it('stretches slow waves only for llama3', () => {
    const rope = {
      type: 'llama3',
      theta: 500000,
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    } as const
    rotaryFrequencies(rope, 64).inverseFrequencies.forEach((frequency, i) => {
      expect(Math.abs(frequency / (LLAMA_3_2[i] as number) - 1)).toBeLessThan(1e-6)
    })
  })
})

describe('rope', () => {
  const frequencies = rotaryFrequencies({ type: 'default', theta: 100 }, 4)
  const table = rotaryTable(frequencies, 16, 'float32', cpu)
  const at = (x: DenseTensor, start: number) => hostFloat32(rope(x, table.cos, table.sin, start))

  it('turns pairs (i, i + D/2) by position times frequency', () => {
    const x = tensor([[[1, 0, 0, 1]]])
    const [a, b] = [3, 0.3]
    const expected = [Math.cos(a), -Math.sin(b), Math.sin(a), Math.cos(b)]
    at(x, 3).forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 6))
    expect([...at(x, 0)]).toEqual([1, 0, 0, 1])
  })

  it('gives all heads of a token one position, and tokens one after the other', () => {
    const [one, two] = [random([1, 2, 4], 1), random([1, 2, 4], 2)]
    const both = zeros([2, 2, 4])
    both.narrow(0, 0, 1).copy_(one)
    both.narrow(0, 1, 1).copy_(two)
    expect([...at(both, 5)]).toEqual([...at(one, 5), ...at(two, 6)])
  })

  it('makes products depend on the distance only', () => {
    const [q, k] = [random([1, 1, 4], 1), random([1, 1, 4], 2)]
    expect(product(at(q, 9), at(k, 4))).toBeCloseTo(product(at(q, 12), at(k, 7)), 5)
  })

  it('rounds each product to bfloat16, as transformers does', () => {
    const { cos, sin } = rotaryTable(frequencies, 16, 'bfloat16', cpu)
    const x = random([1, 1, 4], 5, 'bfloat16')
    const [x0, , x2] = hostFloat32(x) as unknown as [number, number, number]
    const [c, s] = [Math.cos(7), Math.sin(7)].map(roundToBfloat16) as [number, number]
    const first = roundToBfloat16(roundToBfloat16(x0 * c) - roundToBfloat16(x2 * s))
    expect(hostFloat32(rope(x, cos, sin, 7))[0]).toBe(first)
  })

  it('refuses positions beyond its table', () => {
    expect(() => at(zeros([2, 1, 4]), 15)).toThrow(
      '[@ao/text-generation] Expected x of shape [T, heads, D], cos and sin of shape [P, D/2 or less] with ' +
        'P >= 15 + T, got [2, 1, 4], [16, 2] and [16, 2].',
    )
    expect(() => at(zeros([2, 1, 2]), 0)).toThrow('[2, 1, 2]') // the table turns four elements
    expect(() => at(zeros([2, 1, 5]), 0)).toThrow('[2, 1, 5]')
  })
})

describe('rope of other pairs', () => {
  const frequencies = rotaryFrequencies({ type: 'default', theta: 100 }, 4)
  const { cos, sin } = rotaryTable(frequencies, 16, 'float32', cpu)

  it('turns the first elements of a wider head, and leaves the rest', () => {
    const wide = random([3, 2, 10], 4)
    const out = hostFloat32(rope(wide, cos, sin, 2))
    const part = rope(wide.slice(2, 0, 4).contiguous(), cos, sin, 2)
    for (let row = 0; row < 6; row++) {
      const expected = [
        ...hostFloat32(part).slice(4 * row, 4 * row + 4),
        ...hostFloat32(wide).slice(10 * row + 4, 10 * row + 10),
      ]
      expect([...out.slice(10 * row, 10 * row + 10)]).toEqual(expected)
    }
  })

  it('turns neighbours where it is told to: the same as halves, in another order', () => {
    const x = random([2, 1, 4], 6)
    const order = [0, 2, 1, 3]
    const turned = hostFloat32(rope(index(x, order), cos, sin, 3, { interleaved: true }))
    const halves = hostFloat32(rope(x, cos, sin, 3))
    expect([...turned]).toEqual(
      [0, 1].flatMap((token) => order.map((i) => halves[4 * token + i] as number)),
    )
  })

  it('multiplies cosines and sines by the attention factor', () => {
    const scaled = rotaryTable({ ...frequencies, attentionFactor: 1.5 }, 16, 'float32', cpu)
    hostFloat32(scaled.cos).forEach((value, i) =>
      expect(value).toBe(Math.fround((hostFloat32(cos)[i] as number) * 1.5)),
    )
    expect(hostFloat32(scaled.sin)[7]).toBe(Math.fround((hostFloat32(sin)[7] as number) * 1.5))
  })
})

/** Elements of a head in another order. */
function index(x: DenseTensor, order: readonly number[]): DenseTensor {
  const values = hostFloat32(x)
  const size = order.length
  const moved = values.map((_, i) => values[i - (i % size) + (order[i % size] as number)] as number)
  return fromFloat32(moved, x.shape, x.dtype)
}

describe('gatedActivation', () => {
  it('is silu(gate) * up', () => {
    const out = gatedActivation(tensor([0, 1, -1, 100, -100]), tensor([5, 2, 2, 2, 2]), 'silu')
    const expected = [0, 2 / (1 + Math.exp(-1)), -2 / (1 + Math.E), 200, -0]
    hostFloat32(out).forEach((value, i) => expect(value).toBeCloseTo(expected[i] as number, 6))
  })

  // PyTorch's gelu(x) and gelu(x, approximate='tanh') at 1 and -0.5.
  it.each([
    ['gelu', 0.8413447, -0.1542688],
    ['gelu_tanh', 0.841192, -0.154286],
  ] as const)('is %s(gate) * up', (name, at1, atHalf) => {
    const out = hostFloat32(gatedActivation(tensor([1, -0.5]), tensor([3, 2]), name))
    expect(out[0]).toBeCloseTo(3 * at1, 5)
    expect(out[1]).toBeCloseTo(2 * atHalf, 5)
  })

  it('rounds silu(gate) before the product', () => {
    const [gate, up] = [1.5, 1.2109375].map((x) => tensor([x], { dtype: 'bfloat16' })) as [
      DenseTensor,
      DenseTensor,
    ]
    const rounded = roundToBfloat16(roundToBfloat16(1.5 / (1 + Math.exp(-1.5))) * 1.2109375)
    expect([...hostFloat32(gatedActivation(gate, up, 'silu'))]).toEqual([rounded])
  })

  it('refuses different shapes, integers, and activations that it does not know', () => {
    expect(() => gatedActivation(zeros([2]), zeros([3]), 'silu')).toThrow(
      'Expected gate and up of one shape and dtype',
    )
    expect(() => gatedActivation(zeros([2], 'int8'), zeros([2], 'int8'), 'silu')).toThrow(
      'Expected gatedActivation of float32, float16 or bfloat16, got int8.',
    )
    expect(() => gatedActivation(zeros([2]), zeros([2]), 'relu' as never)).toThrow(
      'Expected an activation of silu, gelu, gelu_tanh, got relu.',
    )
  })
})
