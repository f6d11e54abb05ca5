import { cpu, fromFloat32, readFloat32, type Tensor } from '@ao/base-tensor'
import { denseKernels, DeviceLostError, WebGPUDevice } from '@ao/kernels-webgpu'
import { webgpuKernels } from '@ao/llama/webgpu'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { perplexity, type LoadOptions } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'
import { expectSteadySteps } from './soak.ts'

const kernels = [denseKernels, webgpuKernels]
const gpu = await testGPU()
// All of a model's products have rows of one length, so that they share programs: odd ones are for the
// tests of kernels.
const CONFIG = {
  ...TINY,
  vocab_size: 64,
  hidden_size: 32,
  intermediate_size: 32,
  num_hidden_layers: 2,
  max_position_embeddings: 4096,
}
const folder = checkpointFolder(CONFIG, randomWeights(CONFIG))
const IDS = [3, 36, 9]
const START = [3] // needs no programs for several tokens

const SMALL = { ...CONFIG, num_hidden_layers: 1 }
const small = checkpointFolder(SMALL, randomWeights(SMALL))

// For many steps: a workgroup or two for each product.
const LEAST = {
  ...SMALL,
  vocab_size: 8,
  hidden_size: 8,
  intermediate_size: 8,
  num_attention_heads: 1,
  num_key_value_heads: 1,
}
const least = checkpointFolder(LEAST, randomWeights(LEAST))

const open = (): Promise<WebGPUDevice> => WebGPUDevice.create({ gpu: gpu as GPU, kernels })
const load = (options: LoadOptions = {}, from = folder): Promise<LlamaForCausalLM> =>
  LlamaForCausalLM.fromPretrained(from, options)
// One for all tests, the last of which loses it: programs are compiled once.
const device = (gpu && (await open())) as WebGPUDevice

async function collect(tokens: AsyncIterable<number>): Promise<number[]> {
  const ids: number[] = []
  for await (const id of tokens) ids.push(id)
  return ids
}

async function nmse(got: Tensor, expected: Tensor): Promise<number> {
  const [a, b] = [await readFloat32(got), await readFloat32(expected)]
  const sum = (values: Float32Array): number => values.reduce((total, x) => total + x * x, 0)
  return sum(a.map((x, i) => x - (b[i] as number))) / sum(b)
}

describe.skipIf(!gpu)('a model on the GPU', () => {
  it.each([
    ['float32', 1e-10],
    ['float16', 1e-5],
    ['bfloat16', 1e-3],
  ] as const)('has the logits of the CPU in %s', async (dtype, budget) => {
    const model = await load({ dtype, device }, small)
    const host = await load({ dtype }, small)
    expect(model.device).toBe(device)
    expect(await nmse(model.forward(IDS), host.forward(IDS))).toBeLessThan(budget)
    const [cache, hostCache] = [model.createCache(2), host.createCache(2)]
    for (const ids of [[3, 36, 9], [1], [7, 7, 1], [2]]) {
      expect(await nmse(model.forward(ids, cache), host.forward(ids, hostCache))).toBeLessThan(
        budget,
      )
    }
  })

  it('chooses the tokens of the CPU, likeliest or drawn', async () => {
    const [model, host] = [await load({ device }), await load()]
    for (const options of [
      {},
      { temperature: 1, topK: 5, seed: 3 },
      { temperature: 0.8, topP: 0.9 },
    ]) {
      const all = { maxNewTokens: 16, stopIds: [], ...options }
      expect(await collect(model.generate(IDS, all))).toEqual(
        await collect(host.generate(IDS, all)),
      )
    }
    const stopped = {
      maxNewTokens: 16,
      stopIds: (await collect(host.generate(IDS, { maxNewTokens: 4, stopIds: [] }))).slice(3),
    }
    expect(await collect(model.generate(IDS, stopped))).toEqual(
      await collect(host.generate(IDS, stopped)),
    )
  })

  it('predicts a text as well as the CPU does', async () => {
    const [model, host] = [await load({ device }), await load()]
    const text = Array.from({ length: 34 }, (_, i) => (i * i) % 37)
    const before = device.memory.used
    const result = await perplexity(model, text, { window: 16 })
    const expected = await perplexity(host, text, { window: 16 })
    expect(result.meanNll).toBeCloseTo(expected.meanNll, 5)
    expect(device.memory.used - before).toBeLessThan(8192) // rotations
  })

  it('takes one submission for each step, and no more memory over 200 of them', async () => {
    await expectSteadySteps(device, await load({ device }, least), 200)
  })

  it('goes on where the cache and the rotations grow, in memory that stays', async () => {
    const [model, host] = [await load({ device }, least), await load({}, least)]
    const options = { maxNewTokens: 700, stopIds: [] }
    const expected = await collect(host.generate(START, options))
    const ids: number[] = []
    const inUse: number[] = []
    for await (const id of model.generate(START, options)) {
      ids.push(id)
      inUse.push(device.memory.used)
    }
    expect(ids).toEqual(expected)
    // The cache had room for 256 at first, and has for 1,024 from 512 on. The garbage collector may take
    // models of earlier tests meanwhile, so that less is in use.
    for (let step = 521; step < inUse.length; step++) {
      expect(inUse[step]).toBeLessThanOrEqual(inUse[step - 1] as number)
    }
  })

  it('generates with one submission for each token, and leaves nothing behind', async () => {
    const model = await load({ device })
    await collect(model.generate(START, { maxNewTokens: 30, stopIds: [] }))
    const { memory, submissions } = device
    // Less may be in use: the garbage collector takes models of earlier tests when it likes.
    const expectNoMore = (): void => {
      const { used, pooled } = device.memory
      expect(used).toBeLessThanOrEqual(memory.used)
      expect(used + pooled).toBe(memory.used + memory.pooled)
    }
    await collect(model.generate(START, { maxNewTokens: 30, stopIds: [] }))
    expect(device.submissions - submissions).toBe(30)
    expectNoMore()
    for await (const id of model.generate(START, { maxNewTokens: 30, stopIds: [] }))
      if (id >= 0) break
    expectNoMore()
  })

  it('calls hooks at each step, before and after steps that are replayed', async () => {
    const [model, host] = [await load({ device }, least), await load({}, least)]
    const options = { maxNewTokens: 6, stopIds: [] }
    const expected = await collect(host.generate(START, options))
    let calls = 0
    const { norm } = model.model
    for (const sampling of [{}, { temperature: 1, topK: 1 }]) {
      const ids: number[] = []
      const hook = norm.registerForwardHook(() => void calls++)
      for await (const id of model.generate(START, { ...options, ...sampling })) ids.push(id)
      hook.remove()
      expect(ids).toEqual(expected)
      expect(calls).toBe(6)
      expect(await collect(model.generate(START, { ...options, ...sampling }))).toEqual(expected)
      expect(calls).toBe(6)
      calls = 0
    }
    // Added while steps are replayed: the device is up to LOOK_AHEAD of them ahead.
    const tokens = model.generate(START, { maxNewTokens: 20, stopIds: [] })
    const all: number[] = []
    for await (const id of tokens) {
      if (all.push(id) === 4) norm.registerForwardHook(() => void calls++)
    }
    expect(all).toEqual(await collect(host.generate(START, { maxNewTokens: 20, stopIds: [] })))
    expect(calls).toBeGreaterThan(5)
  })

  it('runs on two devices at once, one of them the user’s own', async () => {
    const adapter = (await (gpu as GPU).requestAdapter()) as GPUAdapter
    const own = await adapter.requestDevice()
    const devices = [device, await WebGPUDevice.create({ device: own, kernels })]
    const models = await Promise.all(devices.map((each) => load({ device: each }, small)))
    const options = { maxNewTokens: 12, stopIds: [] }
    const texts = await Promise.all(models.map((model) => collect(model.generate(START, options))))
    expect(texts[0]).toEqual(await collect((await load({}, small)).generate(START, options)))
    expect(texts[1]).toEqual(texts[0])
    await expect(async () =>
      models[0]?.model.embed_tokens.forward(
        await fromFloat32(Float32Array.of(1), [1], 'float32').to(devices[1] as WebGPUDevice),
      ),
    ).rejects.toThrow('all tensors of embedding on one device')
    devices[1]?.destroy()
    const buffer = own.createBuffer({ size: 16, usage: 8 })
    own.queue.writeBuffer(buffer, 0, new Uint8Array(16)) // it is still there
    await own.queue.onSubmittedWorkDone()
    own.destroy()
  })

  it('comes back to the CPU', async () => {
    const model = await load({ device })
    await model.to(cpu)
    expect(await nmse(model.forward(IDS), (await load()).forward(IDS))).toBe(0)
  })

  it('fails when the device is lost, and goes on with a new one', async () => {
    const model = await load({ device }, small)
    const expected = await collect(
      (await load({}, small)).generate(START, { maxNewTokens: 8, stopIds: [] }),
    )
    const seen: number[] = []
    const generation = (async () => {
      for await (const id of model.generate(START, { maxNewTokens: 200, stopIds: [] })) {
        seen.push(id)
        if (seen.length === 8) device.gpu.destroy()
      }
    })()
    const error: unknown = await generation.catch((reason: unknown) => reason)
    expect(DeviceLostError.isInstance(error)).toBe(true)
    expect(seen.slice(0, 8)).toEqual(expected)
    const again = await open()
    const reloaded = await load({ device: again }, small)
    expect(await collect(reloaded.generate(START, { maxNewTokens: 8, stopIds: [] }))).toEqual(
      expected,
    )
    again.destroy()
  })
})
