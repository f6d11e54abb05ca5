import { hostFloat32, linear, meta, type Tensor } from '@ao/base-tensor'
import { isModule, type RMSNorm } from '@ao/nn'
import { sqnr } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { KVCache, perplexity } from '@ao/text-generation'
import { parseLlamaConfig } from '../src/llama-config.ts'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, randomWeights, TINY } from './checkpoints.ts'

const IDS = [3, 36, 0, 7, 7, 12, 30, 1]
const LLAMA3 = {
  rope_type: 'llama3',
  factor: 4,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
}

function load(config: object = {}): Promise<LlamaForCausalLM> {
  const all = { ...TINY, ...config }
  return LlamaForCausalLM.fromPretrained(checkpointFolder(all, randomWeights(all)))
}

const lastRow = (logits: Tensor) => hostFloat32(logits.select(0, -1))

async function collect(tokens: AsyncIterable<number>): Promise<number[]> {
  const ids: number[] = []
  for await (const id of tokens) ids.push(id)
  return ids
}

describe('forward', () => {
  // First logits of the last token, and the sum of all magnitudes: from a plain numpy model, float64.
  it.each([
    [{}, [-0.13158, 0.41163, 0.04423, -0.3117, -0.455, 0.06171], 72.5986],
    [{ rope_scaling: LLAMA3 }, [-0.14045, 0.4122, 0.05735, -0.31264, -0.46656, 0.0635], 72.599],
    [
      {
        attention_bias: true,
        mlp_bias: true,
        hidden_act: 'gelu',
        rope_scaling: { type: 'linear', factor: 2 },
      },
      [-0.62493, 0.42738, -0.36535, 0.27203, -0.02026, -0.08124],
      80.0005,
    ],
  ])('computes Llama with %j', async (config, first, magnitude) => {
    const logits = (await load(config)).forward(IDS)
    expect(logits.shape).toEqual([8, 37])
    first.forEach((value, i) => expect(lastRow(logits)[i]).toBeCloseTo(value, 4))
    const sum = hostFloat32(logits).reduce((total, value) => total + Math.abs(value), 0)
    expect(sum).toBeCloseTo(magnitude, 3)
  })

  it.each([[[1, 1, 1, 1, 1, 1, 1, 1]], [[3, 5]], [[7, 1]]])(
    'gives the same logits in steps of %j tokens',
    async (steps) => {
      const model = await load()
      const cache = model.createCache(2) // has to grow
      const rows: number[] = []
      for (const step of steps) {
        const ids = IDS.slice(cache.length, cache.length + step)
        rows.push(...hostFloat32(model.forward(ids, cache)))
      }
      expect(cache.length).toBe(8)
      expect(sqnr(hostFloat32(model.forward(IDS)), rows)).toBeGreaterThan(120)
    },
  )

  it('computes only the logits that are kept', async () => {
    const model = await load()
    const kept = model.forward(IDS, undefined, 1)
    expect(kept.shape).toEqual([1, 37])
    expect(sqnr(lastRow(model.forward(IDS)), hostFloat32(kept))).toBeGreaterThan(120)
  })

  it.each(['bfloat16', 'float16'] as const)('computes in %s', async (dtype) => {
    const folder = checkpointFolder(TINY, randomWeights(TINY))
    const exact = (await load()).forward(IDS)
    const logits = (await LlamaForCausalLM.fromPretrained(folder, { dtype })).forward(IDS)
    expect(logits.dtype).toBe(dtype)
    // Measured 36.3 dB and 59.4 dB, with scores and weights of attention rounded as transformers does.
    const limit = dtype === 'bfloat16' ? 35 : 57
    expect(sqnr(hostFloat32(exact), hostFloat32(logits))).toBeGreaterThan(limit)
  })

  it('refuses ids outside of the vocabulary, and none', async () => {
    const model = await load()
    const message = '[@ao/text-generation] Expected token ids from 0 to 36, one at least, got'
    expect(() => model.forward([1, 37])).toThrow(`${message} 37.`)
    expect(() => model.forward([-1])).toThrow(`${message} -1.`)
    expect(() => model.forward([0.5])).toThrow(`${message} 0.5.`)
    expect(() => model.forward([])).toThrow(`${message} none.`)
    await expect(collect(model.generate([]))).rejects.toThrow(`${message} none.`)
  })

  it.each([
    ['Once upon a time', 'a text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'number'],
  ])('refuses %j in the place of ids', async (ids, got) => {
    const model = await load()
    const message = `[@ao/text-generation] Expected a list of token ids, got ${got}. Encode text first: tokenizer.encode(text).`
    const list = ids as unknown as number[]
    expect(() => model.forward(list)).toThrow(message)
    await expect(collect(model.generate(list))).rejects.toThrow(message)
    await expect(perplexity(model, list)).rejects.toThrow(message)
  })
})

describe('hooks', () => {
  it('of each module run once a forward, also of norms that are one op with the sum before', async () => {
    const model = await load()
    const expected = hostFloat32(model.forward(IDS))
    const modules = [...model.namedModules()]
    const seen: string[] = []
    for (const [name, module] of modules) module.registerForwardHook(() => void seen.push(name))
    expect(hostFloat32(model.forward(IDS))).toEqual(expected)
    expect(seen.sort()).toEqual(modules.map(([name]) => name).sort())
  })

  it('replace what the next module gets', async () => {
    const model = await load()
    const expected = hostFloat32(model.forward(IDS))
    const norm = model.model.layers[0]?.post_attention_layernorm as RMSNorm
    const handle = norm.registerForwardHook((_norm, [input]) => input)
    expect(hostFloat32(model.forward(IDS))).not.toEqual(expected)
    handle.remove()
    expect(hostFloat32(model.forward(IDS))).toEqual(expected)
  })
})

describe('a tied head', () => {
  it('is the embedding and no module or parameter of its own', async () => {
    const model = await load({ tie_word_embeddings: true })
    const embedding = model.model.embed_tokens.weight
    expect([...model.stateDict().keys()]).not.toContain('lm_head.weight')
    expect([...model.namedModules()].map(([name]) => name)).not.toContain('lm_head')
    const hidden = model.model.forward(IDS, model.createCache())
    expect(hostFloat32(model.forward(IDS))).toEqual(hostFloat32(linear(hidden, embedding)))
  })

  it('is a Linear where it is not tied', () => {
    const { lm_head: head } = new LlamaForCausalLM(parseLlamaConfig(TINY))
    expect(isModule(head) && head.weight.shape).toEqual([37, 24])
  })
})

describe('a new model', () => {
  it('has the names and shapes of a checkpoint, and no data', () => {
    const model = new LlamaForCausalLM(parseLlamaConfig({ ...TINY, num_hidden_layers: 1 }))
    expect(model.device).toBe(meta)
    const shapes = [...model.stateDict()].map(([name, { shape }]) => `${name} ${shape.join('x')}`)
    expect(shapes).toEqual([
      'model.embed_tokens.weight 37x24',
      'model.layers.0.self_attn.q_proj.weight 32x24',
      'model.layers.0.self_attn.k_proj.weight 16x24',
      'model.layers.0.self_attn.v_proj.weight 16x24',
      'model.layers.0.self_attn.o_proj.weight 24x32',
      'model.layers.0.mlp.gate_proj.weight 20x24',
      'model.layers.0.mlp.up_proj.weight 20x24',
      'model.layers.0.mlp.down_proj.weight 24x20',
      'model.layers.0.input_layernorm.weight 24',
      'model.layers.0.post_attention_layernorm.weight 24',
      'model.norm.weight 24',
      'lm_head.weight 37x24',
    ])
  })

  it('runs on the meta device: shapes without numbers', () => {
    const logits = new LlamaForCausalLM(parseLlamaConfig(TINY)).forward(IDS)
    expect(logits.shape).toEqual([8, 37])
    expect(logits.device).toBe(meta)
  })
})

describe('KVCache', () => {
  const config = parseLlamaConfig(TINY)

  it('grows by doubling, up to max_position_embeddings', () => {
    const cache = new KVCache(config, { capacity: 5 })
    const capacities = [5, 1, 10, 1, 15].map((tokens) => {
      cache.reserve(tokens)
      cache.advance(tokens)
      return cache.capacity
    })
    expect(capacities).toEqual([5, 10, 20, 20, 32])
    expect(() => cache.reserve(1)).toThrow(
      "[@ao/text-generation] Expected at most 32 tokens, the model's max_position_embeddings, got 33. " +
        'Shorten the prompt, generate fewer tokens, or start a new cache.',
    )
  })

  it('goes on from an earlier point after truncate', async () => {
    const model = await load()
    const cache = model.createCache()
    model.forward([3, 36, 9, 9], cache)
    cache.truncate(2)
    const logits = model.forward(IDS.slice(2), cache)
    expect(sqnr(lastRow(model.forward(IDS)), lastRow(logits))).toBeGreaterThan(120)
  })

  it('is refused after dispose, and by a model of more layers', async () => {
    const model = await load()
    const disposed = model.createCache()
    disposed.dispose()
    const shallow = new KVCache({ ...config, numLayers: 2 })
    const message = 'Expected a cache with keys and values for every layer of the model, got one of'
    expect(() => model.forward(IDS, disposed)).toThrow(`${message} 0 layers.`)
    expect(() => model.forward(IDS, shallow)).toThrow(`${message} 2 layers.`)
  })

  it('stays as it was when a model refuses its input', async () => {
    const model = await load()
    const cache = model.createCache()
    model.forward(IDS, cache)
    expect(() => model.forward([99], cache)).toThrow('got 99')
    expect(() => model.forward(new Array(25).fill(1), cache)).toThrow('got 33')
    expect(cache.length).toBe(8)
  })
})

describe('generate', () => {
  it('appends the likeliest token, again and again', async () => {
    const model = await load()
    const expected: number[] = []
    for (let n = 0; n < 6; n++) {
      const row = lastRow(model.forward([...IDS, ...expected]))
      expected.push(row.indexOf(Math.max(...row)))
    }
    const options = { maxNewTokens: 6, stopIds: [] }
    expect(await collect(model.generate(IDS, options))).toEqual(expected)
  })

  it('fills all positions unless told to stop', async () => {
    const model = await load()
    expect(await collect(model.generate(IDS, { stopIds: [] }))).toHaveLength(32 - 8)
    expect(await collect(model.generate(IDS, { maxNewTokens: 0 }))).toEqual([])
  })

  it('ends with the first stop token', async () => {
    const model = await load()
    const ids = await collect(model.generate(IDS, { stopIds: [] }))
    const stop = ids[3] as number
    const upTo = ids.slice(0, ids.indexOf(stop) + 1)
    expect(await collect(model.generate(IDS, { stopIds: [99, stop] }))).toEqual(upTo)
    const withEos = await load({ eos_token_id: [stop] })
    expect(await collect(withEos.generate(IDS))).toEqual(upTo)
  })

  it('samples the same tokens for the same seed', async () => {
    const model = await load()
    const draw = (seed: number) =>
      collect(model.generate(IDS, { temperature: 2, seed, stopIds: [], maxNewTokens: 20 }))
    expect(await draw(1)).toEqual(await draw(1))
    expect(await draw(1)).not.toEqual(await draw(2))
  })

  it('lets other tasks run between tokens', async () => {
    const model = await load()
    let ticks = 0
    const timer = setInterval(() => ticks++, 0)
    let seen = 0
    for await (const _ of model.generate(IDS, { stopIds: [] })) seen += 1
    clearInterval(timer)
    expect(seen).toBe(24)
    expect(ticks).toBeGreaterThan(0)
  })

  it('stops when its signal is aborted', async () => {
    const model = await load()
    const controller = new AbortController()
    const ids: number[] = []
    const run = async () => {
      for await (const id of model.generate(IDS, { signal: controller.signal, stopIds: [] })) {
        ids.push(id)
        if (ids.length === 3) controller.abort(new Error('enough'))
      }
    }
    await expect(run()).rejects.toThrow('enough')
    expect(ids).toHaveLength(3)
  })

  it('refuses more tokens than there are positions', async () => {
    const model = await load()
    await expect(collect(model.generate(IDS, { maxNewTokens: 25 }))).rejects.toThrow(
      '[@ao/text-generation] Expected maxNewTokens from 0 to 24, the positions that the prompt leaves free, ' +
        'got 25 after a prompt of 8 tokens.',
    )
    await expect(collect(model.generate(new Array(33).fill(1)))).rejects.toThrow(
      "[@ao/text-generation] Expected a prompt of at most 32 tokens, the model's max_position_embeddings, got 33.",
    )
  })
})
