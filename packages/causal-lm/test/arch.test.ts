/** @file Every family against transformers, in float32. */

import { join } from 'node:path'
import { readFloat32 } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { loadModel, nmseOf, readReference, shared } from './reference.ts'

const MODELS = [
  ...['llama-bias', 'llama-linear', 'llama-llama3-rope', 'llama-yarn', 'mistral'],
  ...['qwen2', 'qwen2-tied', 'qwen3', 'phi3', 'phi3-longrope', 'gemma2', 'gemma3'],
  ...['smollm3', 'olmo2', 'granite', 'qwen3-moe', 'mixtral', 'gpt2', 'gpt-oss', 'lfm2'],
]

describe.skipIf(!shared)('models of transformers (skipped: need ../shared/reference)', () => {
  it.each(MODELS)('%s gives the logits of transformers, and its greedy tokens', async (name) => {
    const path = join(shared as string, 'arch', name)
    const model = await loadModel(path)
    const { ids, greedy, logits } = await readReference(path)
    expect(await nmseOf(model.forward(ids), logits)).toBeLessThan(1e-10)
    const next = model.generate(ids, { maxNewTokens: greedy.length - ids.length, stopIds: [] })
    const tokens = [...ids]
    for await (const id of next) tokens.push(id)
    expect(tokens).toEqual(greedy)
  })

  it.each(MODELS)('%s reads a text in parts as it does at once', async (name) => {
    const model = await loadModel(join(shared as string, 'arch', name))
    const { ids } = await readReference(join(shared as string, 'arch', name))
    const cache = model.createCache(4)
    for (const [from, to] of [
      [0, 5],
      [5, 6],
      [6, 17],
      [17, 24],
    ] as const) {
      const part = await readFloat32(model.forward(ids.slice(from, to), cache, 1))
      const whole = await readFloat32(model.forward(ids.slice(0, to), undefined, 1))
      part.forEach((x, i) => expect(x).toBeCloseTo(whole[i] as number, 4))
    }
  })
})
