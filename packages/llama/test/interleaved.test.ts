/** @file Several uses of one model at once: each gives what it gives alone. */

import { AoError, cpu, fromFloat32, hostFloat32, readFloat32, type Device } from '@ao/base-tensor'
import { Int8WeightOnlyConfig } from '@ao/int8'
import { webgpuKernels as int8Kernels } from '@ao/int8/webgpu'
import { denseKernels, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/llama/webgpu'
import { quantize_ } from '@ao/quantize'
import { testGPU } from '@ao/webgpu-driver/gpu'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { perplexity, type GenerateOptions } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import type { LlamaDecoderLayer } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'

const gpu = await testGPU()
// Few programs: all products have rows of one length.
const CONFIG = {
  ...TINY,
  hidden_size: 16,
  intermediate_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 600,
}
const folder = checkpointFolder(CONFIG, randomWeights(CONFIG))
const kernels = [denseKernels, webgpuKernels, int8Kernels]
const device = gpu && (await WebGPUDevice.create({ gpu, kernels }))
const load = (on: Device): Promise<LlamaForCausalLM> =>
  LlamaForCausalLM.fromPretrained(folder, { device: on })

/** A use of a model, in steps that others may come between. */
type Use = (model: LlamaForCausalLM) => AsyncGenerator<unknown, void, undefined>

const GREEDY = {}
const SAMPLED = { temperature: 0.9, topK: 8, seed: 4 }
const NUCLEUS = { temperature: 1.1, topP: 0.8, seed: 9 }

const text = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => (i * i + seed * (i + 3)) % CONFIG.vocab_size)

const generating =
  (prompt: number[], options: GenerateOptions): Use =>
  (model) =>
    model.generate(prompt, { stopIds: [], ...options })

/** Logits of pieces of a text, by way of a cache that grows. */
const reading = (ids: readonly number[], piece: number): Use =>
  async function* (model) {
    const cache = model.createCache(2)
    for (let from = 0; from < ids.length; from += piece) {
      yield [...(await readFloat32(model.forward(ids.slice(from, from + piece), cache, 1)))]
    }
    cache.dispose()
  }

const measuring = (ids: readonly number[], window: number): Use =>
  async function* (model) {
    yield (await perplexity(model, ids, { window })).meanNll
  }

const seed = fc.integer({ min: 0, max: 6 })
const anyUse: fc.Arbitrary<Use> = fc.oneof(
  fc
    .tuple(
      fc.integer({ min: 1, max: 40 }),
      seed,
      fc.integer({ min: 0, max: 24 }),
      fc.constantFrom<GenerateOptions>(GREEDY, SAMPLED, NUCLEUS),
    )
    .map(([length, start, maxNewTokens, options]) =>
      generating(text(length, start), { ...options, maxNewTokens }),
    ),
  fc
    .tuple(fc.integer({ min: 1, max: 90 }), seed, fc.integer({ min: 6, max: 30 }))
    .map(([length, start, piece]) => reading(text(length, start), piece)),
  fc
    .tuple(fc.integer({ min: 2, max: 90 }), seed, fc.integer({ min: 1, max: 64 }))
    .map(([length, start, window]) => measuring(text(length, start), window)),
)

async function all(steps: AsyncIterable<unknown>): Promise<unknown[]> {
  const results: unknown[] = []
  for await (const result of steps) results.push(result)
  return results
}

/** Takes steps in the order of `turns`, each when the one before is done, then the rest at once. */
async function interleave(
  uses: readonly Use[],
  model: LlamaForCausalLM,
  turns: readonly number[],
): Promise<unknown[][]> {
  const running = uses.map((use) => use(model))
  const results: unknown[][] = uses.map(() => [])
  for (const turn of turns) {
    const at = turn % uses.length
    const step = await running[at]?.next()
    if (step && !step.done) results[at]?.push(step.value)
  }
  const rest = await Promise.all(running.map(all))
  return results.map((first, i) => [...first, ...(rest[i] as unknown[])])
}

describe.each<[string, Device | undefined, number]>([
  ['the CPU', cpu, 30],
  ['the GPU', device, 3],
])('up to four uses of one model at once on %s', (_name, on, numRuns) => {
  it.skipIf(!on)(
    'each give what they give alone',
    async () => {
      const turns = fc.array(fc.nat(3), { maxLength: 40 })
      const uses = fc.array(anyUse, { minLength: 2, maxLength: 4 })
      await fc.assert(
        fc.asyncProperty(uses, turns, async (some, order) => {
          const alone: unknown[][] = []
          for (const use of some) alone.push(await all(use(await load(on as Device))))
          expect(await interleave(some, await load(on as Device), order)).toEqual(alone)
        }),
        {
          numRuns,
          examples: [
            [
              [
                generating([1, 9, 2], { maxNewTokens: 40 }),
                generating(text(12, 5), { maxNewTokens: 90 }),
              ],
              [],
            ],
            [
              [
                generating([1, 9, 2], { ...SAMPLED, maxNewTokens: 60 }),
                reading(text(300, 2), 150),
                generating([7], { maxNewTokens: 20 }),
                measuring(text(400, 1), 400),
              ],
              [0, 0, 0, 1, 0, 0, 2, 2, 2, 3, 0, 0],
            ],
          ],
        },
      )
    },
    240_000,
  )
})

describe.skipIf(!device)('a model that changes while it generates', () => {
  const steps = { maxNewTokens: 24, stopIds: [] }

  /** The tokens of a generation, with a change of the model after `after` of them. */
  async function changed(
    on: Device,
    after: number,
    change: (model: LlamaForCausalLM) => unknown,
  ): Promise<number[]> {
    const model = await load(on)
    const ids: number[] = []
    // Drawn: each token is read before the next one is computed, on every device.
    for await (const id of model.generate([3, 5], { ...steps, temperature: 0.01, seed: 1 })) {
      ids.push(id)
      if (ids.length === after) await change(model)
    }
    return ids
  }

  const other = [...randomWeights(CONFIG)].map(
    ([name, weight]) =>
      [name, fromFloat32(hostFloat32(weight).toReversed(), weight.shape, 'float32')] as const,
  )

  it.each<[string, (model: LlamaForCausalLM) => unknown]>([
    ['weights that are quantized', (model) => quantize_(model, new Int8WeightOnlyConfig())],
    [
      'another state',
      async (model) => {
        const moved = other.map(async ([name, w]) => [name, await w.to(model.device)] as const)
        model.loadStateDict(new Map(await Promise.all(moved)))
      },
    ],
    [
      'another module',
      ({ model }) => {
        const { self_attn: attention } = model.layers[0] as LlamaDecoderLayer
        attention.q_proj = attention.o_proj
      },
    ],
    [
      'numbers written into a weight',
      ({ model, lm_head: head }) => head?.weight.copy_(model.embed_tokens.weight),
    ],
  ])('goes on with %s', async (_name, change) => {
    for (const after of [1, 2, 7]) {
      const expected = await changed(cpu, after, change)
      expect(await changed(device as Device, after, change)).toEqual(expected)
    }
  })

  it('says so where its weights leave the device', async () => {
    const moved = changed(device as Device, 4, (model) => model.to(cpu))
    const error: unknown = await moved.catch((reason: unknown) => reason)
    expect(AoError.isInstance(error), String(error)).toBe(true)
    expect(String(error)).toContain('on one device')
  })
})
