import { fromFloat32, hostFloat32, type DenseTensor } from '@ao/base-tensor'
import { expect, it } from 'vitest'
import { KVCache } from '../src/kv-cache.ts'

const SHAPE = {
  ...{ vocabSize: 8, numLayers: 3, numKeyValueHeads: 2, headDim: 4 },
  ...{ maxPositions: 100, eosTokenIds: [7] },
}

it('has layers of one shape, unless the model says otherwise', () => {
  const cache = new KVCache(SHAPE, { capacity: 10 })
  expect([0, 1, 2].map((i) => cache.layer(i).keys.shape)).toEqual([0, 1, 2].map(() => [10, 2, 4]))
})

it('has layers of their own shapes, with windows and without a cache', () => {
  const layerCaches = [null, { numKeyValueHeads: 1, headDim: 6, slidingWindow: 5 }, SHAPE]
  const cache = new KVCache({ ...SHAPE, layerCaches }, { capacity: 10 })
  expect(cache.capacity).toBe(10) // though the first layer has none
  expect(cache.layer(1)).toMatchObject({ slidingWindow: 5 })
  const keys = cache.layer(1).keys as DenseTensor
  keys.narrow(0, 0, 1).copy_(fromFloat32(new Float32Array(6).fill(3), [1, 1, 6], 'float32'))
  cache.advance(8)
  cache.reserve(4)
  expect(cache.capacity).toBe(20)
  expect([1, 2].map((i) => cache.layer(i).values.shape)).toEqual([
    [20, 1, 6],
    [20, 2, 4],
  ])
  expect([...hostFloat32(cache.layer(1).keys.narrow(0, 0, 1))]).toEqual([3, 3, 3, 3, 3, 3])
  expect(cache.layer(1).slidingWindow).toBe(5)
  expect(() => cache.layer(0)).toThrow(
    'Expected a cache with keys and values for layer 0, got one of 3 layers, this one without.',
  )
  expect(() => cache.layer(3)).toThrow('for every layer of the model, got one of 3 layers.')
  cache.dispose()
  expect(() => cache.layer(1)).toThrow('one of 0 layers')
})

it('wants a shape for each layer', () => {
  expect(() => new KVCache({ ...SHAPE, layerCaches: [null] })).toThrow(
    'Expected layerCaches for each of 3 layers, null for those without, got 1.',
  )
})
