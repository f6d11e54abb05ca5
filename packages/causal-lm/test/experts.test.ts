import { fromFloat32, hostFloat32, type Tensor } from '@ao/base-tensor'
import { routeTokens } from '@ao/causal-lm'
import { Int8WeightOnlyConfig, type Int8Tensor } from '@ao/int8'
import { Int4Tensor } from '@ao/int4'
import { PerGroup } from '@ao/granularity'
import { FqnToConfig, quantizeStateDict } from '@ao/quantize'
import { describe, expect, it } from 'vitest'
import { randomModel, TINY } from './random-model.ts'

const IDS = [3, 14, 15, 9, 26, 5]
const MIXTURE = { ...TINY, num_local_experts: 5, num_experts_per_tok: 2, hidden_size: 32 }
const wide = { ...MIXTURE, intermediate_size: 32 }

const tensor = (rows: number[][]): Tensor =>
  fromFloat32(Float32Array.from(rows.flat()), [rows.length, rows[0]?.length ?? 0], 'float32')
const numbers = (one: Tensor): number[] => Array.from(hostFloat32(one))

describe('routeTokens', () => {
  const logits = tensor([
    [0, Math.log(3), Math.log(4), 0],
    [1, 1, 1, 1],
  ])

  it('gives the best experts their share of all', () => {
    const { ids, weights, all } = routeTokens(logits, { perToken: 2, isNormalized: false })
    expect(numbers(ids)).toEqual([2, 1, 0, 1])
    const shares = [4 / 9, 3 / 9, 1 / 4, 1 / 4]
    numbers(weights).forEach((share, i) => expect(share).toBeCloseTo(shares[i] as number, 6))
    const whole = [0, 3 / 9, 4 / 9, 0, 1 / 4, 1 / 4, 0, 0]
    numbers(all).forEach((share, i) => expect(share).toBeCloseTo(whole[i] as number, 6))
  })

  it('makes them sum to 1 where asked, and refuses more experts than there are', () => {
    const { weights } = routeTokens(logits, { perToken: 2, isNormalized: true })
    const shares = [4 / 7, 3 / 7, 1 / 2, 1 / 2]
    numbers(weights).forEach((share, i) => expect(share).toBeCloseTo(shares[i] as number, 6))
    expect(() => routeTokens(logits, { perToken: 5, isNormalized: true })).toThrow('of which 5')
  })
})

describe.each(['mixtral', 'gpt_oss'])('experts of %s', (model_type) => {
  it('make of each token what they make of it alone', () => {
    const model = randomModel({ model_type, ...MIXTURE })
    const cache = model.createCache()
    const whole = numbers(model.forward(IDS))
    const width = model.config.vocabSize
    IDS.forEach((id, i) => {
      const row = numbers(model.forward([id], cache))
      const expected = whole.slice(i * width, (i + 1) * width)
      row.forEach((x, j) => expect(x).toBeCloseTo(expected[j] as number, 5))
    })
  })

  it('may be quantized, and give what their dequantized weights give', async () => {
    const model = randomModel({ model_type, ...wide })
    const config = new FqnToConfig({ 're:.*experts.*_proj': new Int8WeightOnlyConfig() })
    const { stateDict, report } = await quantizeStateDict(model.stateDict(), config)
    expect(report.quantized).toHaveLength(4)
    model.loadStateDict(stateDict)
    const quantized = numbers(model.forward(IDS))
    model.loadStateDict(
      new Map([...stateDict].map(([name, t]) => [name, (t as Int8Tensor).dequantize?.() ?? t])),
    )
    const expected = numbers(model.forward(IDS))
    quantized.forEach((x, i) => expect(x).toBeCloseTo(expected[i] as number, 4))
  })
})

it('experts of int4 take products, too', () => {
  const model = randomModel({ model_type: 'mixtral', ...wide })
  const before = numbers(model.forward(IDS))
  const entries = [...model.stateDict()].map(([name, t]) => {
    const isExpert = /experts\..*_proj$/.test(name)
    return [name, isExpert ? Int4Tensor.fromHp(t, { granularity: PerGroup(32) }) : t] as const
  })
  model.loadStateDict(new Map(entries))
  const after = numbers(model.forward(IDS))
  const size = before.reduce((sum, x) => sum + x * x, 0)
  const error = before.reduce((sum, x, i) => sum + (x - (after[i] as number)) ** 2, 0)
  expect(error / size).toBeGreaterThan(0)
  expect(error / size).toBeLessThan(0.05)
})
