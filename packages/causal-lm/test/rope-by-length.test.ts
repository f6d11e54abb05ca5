/** @file Rotations that depend on how long a text is. */

import { hostFloat32 } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { randomModel, TINY } from './random-model.ts'

const IDS = Array.from({ length: 20 }, (_, i) => (i * 7 + 3) % 37)

const ROPES = [
  { rope_type: 'dynamic', factor: 2, rope_theta: 100 },
  {
    ...{ rope_type: 'longrope', factor: 8, rope_theta: 100 },
    ...{ original_max_position_embeddings: 8 },
    ...{ short_factor: [1, 1.1, 1.2, 1.3], long_factor: [1, 2, 3, 4] },
  },
]

describe.each(ROPES)('$rope_type', (rope_parameters) => {
  const max_position_embeddings = rope_parameters.rope_type === 'dynamic' ? 10 : 64
  const model = randomModel({
    model_type: 'llama',
    ...TINY,
    max_position_embeddings,
    rope_parameters,
  })
  const last = (ids: readonly number[]): number[] =>
    Array.from(hostFloat32(model.forward(ids, undefined, 1)))

  it('is other in texts beyond the original length', () => {
    const [short, long] = [model.forward(IDS.slice(0, 8)), model.forward(IDS)]
    const [a, b] = [hostFloat32(short), hostFloat32(long)]
    expect(b.slice(0, a.length)).not.toEqual(a)
  })

  it.each([[[5, 5, 10]], [[1, 6, 1, 1, 1, 1, 9]], [[12, 8]]])(
    'read in parts of %j, a text gives what it gives at once',
    (parts) => {
      const cache = model.createCache(4)
      let read = 0
      for (const count of parts) {
        const logits = model.forward(IDS.slice(read, (read += count)), cache, 1)
        const expected = last(IDS.slice(0, read))
        hostFloat32(logits).forEach((x, i) => expect(x).toBeCloseTo(expected[i] as number, 5))
      }
      // Cut to a short text, it is turned as one again.
      cache.truncate(3)
      const again = hostFloat32(model.forward([IDS[3] as number], cache, 1))
      again.forEach((x, i) => expect(x).toBeCloseTo(last(IDS.slice(0, 4))[i] as number, 5))
    },
  )
})

describe('texts', () => {
  it('may be as long as a stretched model reads', () => {
    const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 }
    const of = (rope_parameters: object): number =>
      randomModel({ model_type: 'llama', ...TINY, max_position_embeddings: 16, rope_parameters })
        .config.maxPositions
    expect(of(yarn)).toBe(64)
    expect(of({ rope_type: 'dynamic', factor: 2 })).toBe(1024)
    expect(of({ rope_type: 'linear', factor: 2 })).toBe(16)
  })
})
