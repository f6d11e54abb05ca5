import {
  fromArray,
  fromFloat32,
  hostFloat32,
  tensor,
  zeros,
  type DenseTensor,
} from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { attention } from '../src/ops/attention.ts'
import type { AttentionOptions } from '../src/ops/attention-options.ts'
import { mulberry32 } from '../src/sampler.ts'

function random(shape: number[], seed: number): DenseTensor {
  const next = mulberry32(seed)
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => next() * 4 - 2)
  return fromFloat32(values, shape, 'float32')
}

/** One head's attention, written out; `sees(query, key)` by position. */
function plain(
  q: DenseTensor,
  k: DenseTensor,
  v: DenseTensor,
  score: (product: number) => number,
  sees: (query: number, key: number) => boolean,
  sink = -Infinity,
): number[] {
  const rows = (x: DenseTensor): number[][] =>
    Array.from({ length: x.shape[0] as number }, (_, i) => [...hostFloat32(x.select(0, i))])
  const [keys, values] = [rows(k), rows(v)]
  return rows(q).flatMap((query, i) => {
    const weights = keys.map((key, j) =>
      sees(i, j)
        ? Math.exp(score(query.reduce((sum, x, d) => sum + x * (key[d] as number), 0)))
        : 0,
    )
    const total = weights.reduce((a, b) => a + b) + Math.exp(sink)
    return query.map((_, d) =>
      total === 0
        ? 0
        : values.reduce((sum, value, j) => sum + (weights[j] as number) * (value[d] as number), 0) /
          total,
    )
  })
}

const [q, k, v] = [random([6, 1, 8], 1), random([6, 1, 8], 2), random([6, 1, 8], 3)]
const scaled = (x: number): number => x / Math.sqrt(8)
const causal = (i: number, j: number): boolean => j <= i

describe('attention with', () => {
  it.each([
    ['a scale', { scale: 0.2 }, (x: number) => 0.2 * x, causal],
    ['a soft cap', { softcap: 1.5 }, (x: number) => 1.5 * Math.tanh(scaled(x) / 1.5), causal],
    ['a window', { slidingWindow: 3 }, scaled, (i: number, j: number) => j <= i && i - j < 3],
    ['a window of one', { slidingWindow: 1 }, scaled, (i: number, j: number) => i === j],
    ['no causal mask', { isCausal: false }, scaled, () => true],
    [
      'a window on both sides',
      { isCausal: false, slidingWindow: 2 },
      scaled,
      (i: number, j: number) => Math.abs(i - j) < 2,
    ],
  ] as [string, AttentionOptions, (x: number) => number, typeof causal][])(
    '%s',
    (_name, options, score, sees) => {
      const out = hostFloat32(attention(q, k, v, 6, options))
      plain(q, k, v, score, sees).forEach((value, i) => expect(out[i]).toBeCloseTo(value, 5))
    },
  )

  it('sinks, which take a share and have no value', () => {
    for (const sink of [-3, 0.5, 200]) {
      const out = hostFloat32(attention(q, k, v, 6, { softcap: 4 }, tensor([sink])))
      const score = (x: number): number => 4 * Math.tanh(scaled(x) / 4)
      plain(q, k, v, score, causal, sink).forEach((value, i) =>
        expect(out[i]).toBeCloseTo(value, 5),
      )
    }
  })

  it('padding: keys that are masked, and keys beyond the length', () => {
    const mask = fromArray(Int32Array.of(0, 0, 1, 1, 1, 0), [6], 'int32')
    const left = hostFloat32(attention(q, k, v, 6, {}, undefined, mask))
    const seen = (i: number, j: number): boolean => causal(i, j) && j >= 2 && j < 5
    plain(q, k, v, scaled, seen).forEach((value, i) => expect(left[i]).toBeCloseTo(value, 5))
    expect([...left.slice(0, 16)]).toEqual(new Array(16).fill(0)) // these see nothing
    const right = hostFloat32(attention(q, k, v, 4, { isCausal: false }))
    plain(q, k, v, scaled, (_, j) => j < 4).forEach((value, i) =>
      expect(right[i]).toBeCloseTo(value, 5),
    )
  })

  it('options that make no sense: they are refused by name', () => {
    const call =
      (options: AttentionOptions, ...tensors: DenseTensor[]) =>
      () =>
        attention(q, k, v, 6, options, ...tensors)
    expect(call({ slidingWindow: 0 })).toThrow('slidingWindow: a whole number of tokens from 1 on')
    expect(call({ slidingWindow: 2.5 })).toThrow('got 2.5')
    expect(call({ softcap: 0 })).toThrow('softcap: a positive number, got 0')
    expect(call({ scale: NaN })).toThrow('scale: a positive number, got NaN')
    expect(call({}, zeros([2]))).toThrow('sinks of shape [H] = [1], of a floating dtype')
    expect(call({}, zeros([1]), zeros([6]))).toThrow('of dtype int32, for length 6, got float32')
    expect(call({}, zeros([1]), zeros([5], 'int32'))).toThrow('got int32 of shape [5]')
    expect(() => attention(q, k, v, 4)).toThrow('T <= length <= capacity')
    expect(() => attention(q, k, v, 0, { isCausal: false })).toThrow('1 <= length <= capacity')
  })
})
