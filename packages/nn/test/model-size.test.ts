import { zeros } from '@ao/base-tensor'
import { expect, it } from 'vitest'
import { Embedding, getModelSizeInBytes, Linear, Module } from '../src/index.ts'

class Tied extends Module {
  readonly embed = new Embedding(zeros([10, 4], 'bfloat16'))
  readonly layers = [new Linear(zeros([4, 4]), zeros([4])), new Linear(zeros([2, 4], 'float16'))]
  readonly head = new Linear(this.embed.weight)
}

class Untied extends Tied {
  override readonly head = new Linear(zeros([10, 4], 'bfloat16'))
}

it('counts the bytes of parameters, shared ones once', () => {
  const layers = 4 * (16 + 4) + 2 * 8
  expect(getModelSizeInBytes(new Tied())).toBe(2 * 40 + layers)
  expect(getModelSizeInBytes(new Untied())).toBe(2 * 80 + layers)
})

it('leaves out embeddings, but not the layers that share their weight', () => {
  const layers = 4 * (16 + 4) + 2 * 8
  expect(getModelSizeInBytes(new Tied(), { ignoreEmbeddings: true })).toBe(2 * 40 + layers)
  expect(getModelSizeInBytes(new Untied(), { ignoreEmbeddings: true })).toBe(2 * 40 + layers)
  expect(getModelSizeInBytes(new Embedding(zeros([3, 3])), { ignoreEmbeddings: true })).toBe(0)
})
