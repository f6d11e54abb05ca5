/** @file What a model's folder holds and the model does not use: refused, or said. */

import { hostFloat32, zeros, type Tensor } from '@ao/base-tensor'
import { Int8Tensor, Int8WeightOnlyConfig } from '@ao/int8'
import { quantizeStateDict } from '@ao/quantize'
import { memoryFolder, serializeSafetensors, type CheckpointFolder } from '@ao/safetensors'
import { describe, expect, it } from 'vitest'
import { loadTokenizer, type Ignored, type LoadOptions } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { checkpointFolder, jsonBytes, randomWeights, TINY } from './checkpoints.ts'
import { readStoriesJson } from './stories-4m.ts'

const weights = randomWeights(TINY)
const TIED = { ...TINY, tie_word_embeddings: true }
const tiedWeights = randomWeights(TIED)
const EMBEDDING = 'model.embed_tokens.weight'
const HEAD = 'lm_head.weight'
const IDS = [1, 2, 3]

const withTensors = (more: Readonly<Record<string, Tensor>>): Map<string, Tensor> =>
  new Map([...weights, ...Object.entries(more)])

const renamed = (entries: ReadonlyMap<string, Tensor>, name: (name: string) => string) =>
  new Map([...entries].map(([key, tensor]) => [name(key), tensor]))

/** Loads, and gives the logits of a few tokens and all that was said. */
async function load(folder: CheckpointFolder, options: LoadOptions = {}) {
  const ignored: Ignored[] = []
  const onIgnored = (what: Ignored): unknown => ignored.push(what)
  const model = await LlamaForCausalLM.fromPretrained(folder, { ...options, onIgnored })
  return { model, logits: hostFloat32(model.forward(IDS)), ignored }
}

/** A folder with `files` beside those of `folder`, or in their place. */
const withFiles = (folder: CheckpointFolder, files: Readonly<Record<string, Uint8Array>>) => {
  const added = memoryFolder(new Map(Object.entries(files)), folder.name)
  const has = (name: string): boolean => Object.hasOwn(files, name)
  return {
    name: folder.name,
    open: async (name: string) => (has(name) ? added : folder).open(name),
    readText: async (name: string) => (has(name) ? added : folder).readText(name),
  }
}

describe('tensors that no parameter takes', () => {
  it.each([
    'model.layers.0.self_attn.q_proj.bias',
    'model.layers.1.self_attn.q_norm.weight',
    'model.layers.2.mlp.down_proj.bias',
    'model.layers.0.self_attn.k_scale',
    'model.layers.3.input_layernorm.weight',
    'model.norm.bias',
    'score.weight',
    'visual.merger.inv_freq.weight',
  ])('%s is refused, or left out where that is asked for', async (name) => {
    const folder = checkpointFolder(TINY, withTensors({ [name]: zeros([8]) }))
    await expect(load(folder)).rejects.toThrow(
      `[@ao/text-generation] Expected a parameter of the model for every tensor of tiny, got none for ${name}. ` +
        'Its config.json may be of another model, or wrong in attention_bias or tie_word_embeddings. ' +
        "`unexpectedTensors: 'ignore'` loads the model without them.",
    )
    const { logits, ignored } = await load(folder, { unexpectedTensors: 'ignore' })
    expect(logits).toEqual((await load(checkpointFolder(TINY, weights))).logits)
    expect(ignored.map(({ names }) => names)).toEqual([[name]])
  })

  it.each([
    'model.layers.0.self_attn.rotary_emb.inv_freq',
    'model.rotary_emb.inv_freq',
    'model.rotary_emb.original_inv_freq',
    'model.layers.1.self_attn.rotary_emb.cos_cached',
    'model.layers.1.self_attn.masked_bias',
    'model.embeddings.position_ids',
  ])('%s, which models compute, is left out and said', async (name) => {
    const { ignored } = await load(checkpointFolder(TINY, withTensors({ [name]: zeros([8]) })))
    const message = `Tensors of tiny are not used: ${name}.`
    expect(ignored).toEqual([{ kind: 'tensors', names: [name], message }])
  })
})

describe('an index and its shards', () => {
  const sharded = checkpointFolder(TINY, weights, { shards: 2 })
  const INDEX = 'model.safetensors.index.json'
  const edited = async (edit: (map: Record<string, string>) => void) => {
    const index = JSON.parse((await sharded.readText(INDEX)) as string) as {
      weight_map: Record<string, string>
    }
    edit(index.weight_map)
    return withFiles(sharded, { [INDEX]: jsonBytes(index) })
  }

  it('a tensor that the index leaves out is refused, or used and said', async () => {
    const folder = await edited((map) => delete map['model.norm.weight'])
    await expect(load(folder)).rejects.toThrow(
      '[@ao/text-generation] Expected model.safetensors.index.json of tiny to list all that its shards hold, ' +
        'got none of model.norm.weight.',
    )
    const { ignored } = await load(folder, { unexpectedTensors: 'ignore' })
    const message = 'Tensors that the index of tiny leaves out are used: model.norm.weight.'
    expect(ignored).toEqual([{ kind: 'tensors', names: ['model.norm.weight'], message }])
  })

  it('a shard that the index leaves out is refused', async () => {
    const names = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`) as [
      string,
      string,
      string,
    ]
    const entries = [...weights]
    const shard = (rest: number) => serializeSafetensors(entries.filter((_, i) => i % 2 === rest))
    const map = entries.map(([name], i) => [name, names[i % 2]])
    const files = new Map([
      ['config.json', jsonBytes(TINY)],
      [INDEX, jsonBytes({ weight_map: Object.fromEntries(map) as object })],
      [names[0], shard(0)],
      [names[1], shard(1)],
    ])
    expect((await load(memoryFolder(files, 'tiny'))).ignored).toEqual([])
    files.set(names[2], serializeSafetensors([['x', zeros([1])]]))
    await expect(load(memoryFolder(files, 'tiny'))).rejects.toThrow(`got none of ${names[2]}`)
  })
})

describe('names of a checkpoint', () => {
  const tied = checkpointFolder(TIED, tiedWeights)

  it('a tied model has its table under either name, quantized or not', async () => {
    const { logits } = await load(tied)
    const other = renamed(tiedWeights, (name) => (name === EMBEDDING ? HEAD : name))
    expect((await load(checkpointFolder(TIED, other))).logits).toEqual(logits)
    const { stateDict } = await quantizeStateDict(other, new Int8WeightOnlyConfig())
    const quantized = await load(checkpointFolder(TIED, stateDict), { formats: [Int8Tensor] })
    expect(quantized.model.lm_head).toBeUndefined()
    expect(quantized.ignored).toEqual([])
  })

  it('a tied model may have its table twice; two different ones are refused', async () => {
    const table = tiedWeights.get(EMBEDDING) as Tensor
    const twice = await load(checkpointFolder(TIED, new Map([...tiedWeights, [HEAD, table]])))
    expect(twice.logits).toEqual((await load(tied)).logits)
    expect(twice.ignored.map(({ names }) => names)).toEqual([[HEAD]])
    const folder = checkpointFolder(TIED, new Map([...tiedWeights, [HEAD, zeros(table.shape)]]))
    await expect(load(folder)).rejects.toThrow(`got none for ${HEAD}`)
    expect((await load(folder, { unexpectedTensors: 'ignore' })).logits).toEqual(twice.logits)
  })

  it('names may lack the prefix, as in a checkpoint of the model without its head', async () => {
    const bare = renamed(tiedWeights, (name) => name.replace(/^model\./, ''))
    expect((await load(checkpointFolder(TIED, bare))).logits).toEqual((await load(tied)).logits)
  })
})

describe('generation_config.json', () => {
  const folder = checkpointFolder(TINY, weights)
  const load = async (json: object, options: LoadOptions = {}) =>
    LlamaForCausalLM.fromPretrained(
      withFiles(folder, { 'generation_config.json': jsonBytes(json) }),
      options,
    )

  it.each<[object, readonly number[]]>([
    [{ eos_token_id: 7 }, [7]],
    [{ eos_token_id: [7, 9] }, [7, 9]],
    [{ eos_token_id: null }, [2]],
    [{ bos_token_id: 1 }, [2]],
  ])('%j: its stop ids take the place of those in config.json', async (json, ids) => {
    expect((await load(json)).config.eosTokenIds).toEqual(ids)
  })

  it('ends a generation', async () => {
    const take = async (model: LlamaForCausalLM): Promise<number[]> => {
      const ids: number[] = []
      for await (const id of model.generate(IDS, { maxNewTokens: 20 })) ids.push(id)
      return ids
    }
    const all = await take(await load({ eos_token_id: 36 }))
    const stop = all[3] as number
    const ended = await take(await load({ eos_token_id: [36, stop] }))
    expect(ended).toEqual(all.slice(0, all.indexOf(stop) + 1))
  })

  it('is refused by file and field, and what is not used of it is said', async () => {
    await expect(load({ eos_token_id: ['</s>'] })).rejects.toThrow(
      'Expected eos_token_id in generation_config.json of tiny to be a token id or a list of them, got ["</s>"].',
    )
    const ignored: Ignored[] = []
    await load(
      { do_sample: true, temperature: 0.6, top_p: 1, repetition_penalty: 1, use_cache: true },
      { onIgnored: (what) => ignored.push(what) },
    )
    const message =
      'Fields in generation_config.json of tiny are not used: pass such options yourself: ' +
      'do_sample, temperature.'
    expect(ignored).toEqual([{ kind: 'fields', names: ['do_sample', 'temperature'], message }])
  })
})

describe('tokens without a row in the embedding', () => {
  const tokenizer = readStoriesJson('tokenizer.json') as { added_tokens: object[] }
  const added = {
    ...tokenizer,
    added_tokens: [...tokenizer.added_tokens, { id: 2048, content: '<|im_start|>', special: true }],
  }
  const folder = (json: object, config?: object): CheckpointFolder =>
    memoryFolder(
      new Map([
        ['tokenizer.json', jsonBytes(json)],
        ...(config ? [['config.json', jsonBytes(config)] as const] : []),
      ]),
      'tiny',
    )

  it.each([{ vocab_size: 2048 }, { text_config: { vocab_size: 2048 } }])(
    'are refused with %j',
    async (config) => {
      await expect(loadTokenizer(folder(added, config))).rejects.toThrow(
        '[@ao/text-generation] Expected tokens of tokenizer.json in tiny with ids below 2048, vocab_size in ' +
          'config.json, got "<|im_start|>" with 2048.',
      )
      const loaded = await loadTokenizer(folder(added, config), {
        tokensWithoutEmbedding: 'ignore',
      })
      expect(loaded.encode('<|im_start|>Once')).toEqual([1, 2048, 496])
      expect((await loadTokenizer(folder(tokenizer, config))).size).toBe(2048)
    },
  )

  it('are nothing to a folder without config.json, and to a padded vocabulary', async () => {
    expect((await loadTokenizer(folder(added))).size).toBe(2049)
    expect((await loadTokenizer(folder(added, { vocab_size: 2112 }))).size).toBe(2049)
  })
})
