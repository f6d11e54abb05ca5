import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { argmax, createSampler, mulberry32, type SamplingOptions } from '../src/sampler.ts'

const logits = (...values: number[]) => Float32Array.from(values)

/** How often each token comes in `draws` draws. */
function frequencies(values: Float32Array, options: SamplingOptions, draws = 20000): number[] {
  const sample = createSampler({ temperature: 1, ...options })
  const counts = new Array<number>(values.length).fill(0)
  for (let i = 0; i < draws; i++) {
    const id = sample(values)
    counts[id] = (counts[id] as number) + 1 / draws
  }
  return counts
}

const PROBABILITIES = [0.1, 0.4, 0.05, 0.25, 0.2]
const SKEWED = Float32Array.from(PROBABILITIES, Math.log)

describe('mulberry32', () => {
  it('gives the numbers of the published C code', () => {
    const random = mulberry32(1)
    const drawn = Array.from({ length: 3 }, () => random() * 2 ** 32)
    expect(drawn).toEqual([2693262067, 11749833, 2265367787])
  })
})

describe('createSampler', () => {
  it('is greedy at temperature 0, and takes the lowest id among equals', () => {
    const sample = createSampler()
    expect(sample(logits(1, 3, 2, 3))).toBe(1)
    expect(sample(logits(-Infinity, -5))).toBe(1)
  })

  it('draws tokens as often as their probabilities say', () => {
    frequencies(SKEWED, {}).forEach((frequency, id) => {
      expect(frequency).toBeCloseTo(PROBABILITIES[id] as number, 1.7)
    })
  })

  it('divides logits by the temperature', () => {
    const sharpened = PROBABILITIES.map((p) => p ** 2)
    const total = sharpened.reduce((a, b) => a + b)
    frequencies(SKEWED, { temperature: 0.5 }).forEach((frequency, id) => {
      expect(frequency).toBeCloseTo((sharpened[id] as number) / total, 1.7)
    })
  })

  const kept = (options: SamplingOptions, values = SKEWED): number[] =>
    frequencies(values, options, 2000).flatMap((frequency, id) => (frequency > 0 ? [id] : []))

  it.each<[SamplingOptions, number[]]>([
    [{ topK: 1 }, [1]],
    [{ topK: 3 }, [1, 3, 4]],
    [{ topK: 99 }, [0, 1, 2, 3, 4]],
    [{ topP: 0 }, [1]],
    [{ topP: 0.39 }, [1]],
    [{ topP: 0.6 }, [1, 3]],
    [{ topP: 0.86 }, [0, 1, 3, 4]],
    [{ topP: 1 }, [0, 1, 2, 3, 4]],
    // Of the three likeliest, 0.4 is 47 % and 0.25 is 29 %.
    [{ topK: 3, topP: 0.7 }, [1, 3]],
    [{ topK: 3, topP: 0.8 }, [1, 3, 4]],
  ])('keeps with %j', (options, ids) => {
    expect(kept(options)).toEqual(ids)
  })

  it('keeps the lowest ids where equals compete for the last places', () => {
    expect(kept({ topK: 3 }, logits(1, 0, 1, 1, 5))).toEqual([0, 2, 4])
    expect(kept({ topK: 2 }, logits(0, 0, 0))).toEqual([0, 1])
    expect(kept({ topP: 0.5 }, logits(0, 0, 0, 0))).toEqual([0, 1])
  })

  it('never draws a token of logit -Infinity', () => {
    expect(kept({}, logits(-Infinity, 0, -Infinity))).toEqual([1])
    expect(kept({ topK: 3 }, logits(-Infinity, 0, -Infinity))).toEqual([1])
  })

  it('repeats itself with a seed, and not with another', () => {
    const draw = (seed: number) => {
      const sample = createSampler({ temperature: 1, seed })
      return Array.from({ length: 20 }, () => sample(SKEWED))
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  it('is greedy in the limits of every option', () => {
    const quarters = fc.array(fc.integer({ min: -200, max: 200 }), { minLength: 1 })
    fc.assert(
      fc.property(quarters, fc.integer(), (quarters, seed) => {
        const values = Float32Array.from(quarters, (quarter) => quarter / 4)
        const likeliest = values[argmax(values)]
        for (const options of [{ topK: 1 }, { topP: 0 }, { temperature: 1e-9 }]) {
          const id = createSampler({ temperature: 1, seed, ...options })(values)
          expect(values[id]).toBe(likeliest)
        }
      }),
    )
  })

  it.each<[SamplingOptions, string]>([
    [{ temperature: -1 }, 'temperature to be a number from 0 on, got -1'],
    [{ temperature: NaN }, 'temperature to be a number from 0 on, got NaN'],
    [{ topK: 0 }, 'topK to be an integer from 1 on, got 0'],
    [{ topK: 1.5 }, 'topK to be an integer from 1 on, got 1.5'],
    [{ topP: 1.1 }, 'topP to be a number from 0 to 1, got 1.1'],
    [{ seed: 0.5 }, 'seed to be an integer, got 0.5'],
  ])('refuses %j', (options, message) => {
    expect(() => createSampler(options)).toThrow(`[@ao/text-generation] Expected ${message}.`)
  })

  it('refuses logits that say nothing', () => {
    const sample = createSampler({ temperature: 1 })
    expect(() => createSampler()(logits(0, NaN))).toThrow(
      'Expected finite logits, got NaN for token 1.',
    )
    expect(() => createSampler()(logits(NaN, 1))).toThrow('got NaN for token 0.')
    expect(() => sample(logits(-Infinity, -Infinity))).toThrow('got a largest logit of -Infinity.')
    expect(() => sample(logits(0, Infinity))).toThrow('got a largest logit of Infinity.')
  })
})
