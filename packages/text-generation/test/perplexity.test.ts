import { fromFloat32, type Tensor } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { perplexity } from '../src/perplexity.ts'

/** Gives token `(id + 1) % 4` three times the probability of each other; records what it is asked. */
function countingModel() {
  const calls: (readonly number[])[] = []
  return {
    calls,
    forward: (ids: readonly number[]): Tensor => {
      calls.push(ids)
      const logits = new Float32Array(ids.length * 4)
      ids.forEach((id, row) => (logits[row * 4 + ((id + 1) % 4)] = Math.log(3)))
      return fromFloat32(logits, [ids.length, 4], 'float32')
    },
  }
}

const COUNTING = [0, 1, 2, 3, 0, 1, 2]

describe('perplexity', () => {
  it('is the inverse of the geometric mean probability', async () => {
    const { perplexity: value, meanNll, tokens } = await perplexity(countingModel(), COUNTING)
    expect(tokens).toBe(6)
    expect(value).toBeCloseTo(2, 6) // each token had probability 3 / 6
    expect(meanNll).toBeCloseTo(Math.LN2, 6)
    const backwards = await perplexity(countingModel(), COUNTING.toReversed())
    expect(backwards.perplexity).toBeCloseTo(6, 6)
  })

  it('goes through windows that share no context', async () => {
    const model = countingModel()
    const progress: unknown[] = []
    const onProgress = (step: unknown) => progress.push(step)
    const result = await perplexity(model, COUNTING, { window: 4, onProgress })
    expect(model.calls).toEqual([
      [0, 1, 2, 3],
      [0, 1],
    ])
    expect(result.tokens).toBe(6)
    expect(progress).toEqual([
      { done: 4, total: 6 },
      { done: 6, total: 6 },
    ])
  })

  it('stays finite for logits of any size', async () => {
    const forward = () => fromFloat32(Float32Array.of(-1e30, 1e30), [1, 2], 'float32')
    expect((await perplexity({ forward }, [0, 1])).perplexity).toBe(1)
  })

  it('stops when its signal is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(perplexity(countingModel(), COUNTING, { signal })).rejects.toThrow('enough')
  })

  it('refuses a target outside of the vocabulary', async () => {
    await expect(perplexity(countingModel(), [0, 1, 4])).rejects.toThrow(
      '[@ao/text-generation] Expected token ids from 0 to 3, got 4.',
    )
  })

  it('refuses arguments without meaning', async () => {
    await expect(perplexity(countingModel(), [1])).rejects.toThrow(
      '[@ao/text-generation] Expected at least two token ids: one to predict, one to predict it from, got 1.',
    )
    await expect(perplexity(countingModel(), COUNTING, { window: 0 })).rejects.toThrow(
      '[@ao/text-generation] Expected window to be an integer from 1 on, got 0.',
    )
  })
})
