import { hostFloat32, type Tensor } from '@ao/base-tensor'
import { allFamilies, AutoModelForCausalLM, parseConfig, qwen3, type CausalLM } from '@ao/causal-lm'
import { goldenPath } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { folderOf, randomModel, randomTensor, TINY } from './random-model.ts'
import { loadModel, nmseOf, readReference } from './reference.ts'

const IDS = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 3, 8, 4]

const load = (json: object, tensors: ReadonlyMap<string, Tensor>): Promise<CausalLM> =>
  AutoModelForCausalLM.fromPretrained(folderOf(json, tensors), { families: allFamilies })

/** The tensors of a model as files hold them: some split, turned round or under other names. */
function stored(
  model: CausalLM,
  store: (name: string, tensor: Tensor) => readonly (readonly [string, Tensor])[],
): Map<string, Tensor> {
  return new Map([...model.stateDict()].flatMap(([name, tensor]) => store(name, tensor)))
}

const numbers = (model: CausalLM): number[] => Array.from(hostFloat32(model.forward(IDS)))

describe('a model of transformers', () => {
  it('gives its logits and greedy tokens: Gemma 2, with soft caps and windows', async () => {
    const path = goldenPath('causal-lm/gemma2')
    const [model, reference] = [await loadModel(path), await readReference(path)]
    expect(await nmseOf(model.forward(reference.ids), reference.logits)).toBeLessThan(1e-10)
    const tokens = [...reference.ids]
    for await (const id of model.generate(tokens, { maxNewTokens: 16, stopIds: [] }))
      tokens.push(id)
    expect(tokens).toEqual(reference.greedy)
  })
})

describe('tensors that files hold otherwise', () => {
  const mixtral = { model_type: 'mixtral', ...TINY, num_local_experts: 3 }
  const rows = (tensor: Tensor, expert: number, from: number, to: number): Tensor =>
    tensor.select(0, expert).slice(0, from, to).contiguous()
  const split = (name: string, tensor: Tensor): (readonly [string, Tensor])[] => {
    const [start, kind] = name.split('experts.')
    if (start === undefined || kind === undefined) return [[name, tensor]]
    return [0, 1, 2].flatMap((expert): (readonly [string, Tensor])[] =>
      kind === 'down_proj'
        ? [[`${start}experts.${expert}.w2.weight`, rows(tensor, expert, 0, 24)] as const]
        : [
            [`${start}experts.${expert}.w1.weight`, rows(tensor, expert, 0, 20)] as const,
            [`${start}experts.${expert}.w3.weight`, rows(tensor, expert, 20, 40)] as const,
          ],
    )
  }

  it('stacks experts', async () => {
    const model = randomModel(mixtral)
    const loaded = await load(mixtral, stored(model, split))
    expect(numbers(loaded)).toEqual(numbers(model))
  })

  it('names the part of an expert that is missing', async () => {
    const tensors = stored(randomModel(mixtral), split)
    tensors.delete('model.layers.1.block_sparse_moe.experts.2.w3.weight')
    await expect(load(mixtral, tensors)).rejects.toThrow(
      'Expected model.layers.1.block_sparse_moe.experts.2.w3.weight among the tensors of tiny',
    )
    tensors.set('model.layers.1.block_sparse_moe.experts.2.w3.weight', randomTensor([20, 23], 1))
    await expect(load(mixtral, tensors)).rejects.toThrow(
      'to fit together as model.layers.1.block_sparse_moe.experts.gate_up_proj, got [20, 24], [20, 23]',
    )
  })

  it('turns round what GPT-2 holds as (in, out), with or without the prefix', async () => {
    const json = { model_type: 'gpt2', n_embd: 24, n_head: 4, n_layer: 2, vocab_size: 37 }
    const model = randomModel({ ...json, n_positions: 32 })
    for (const prefix of ['transformer.', '']) {
      const tensors = stored(model, (name, tensor) => {
        const isConv1D = /\.c_\w+\.weight$/.test(name)
        const own = isConv1D ? tensor.transpose(0, 1).contiguous() : tensor
        return [[name.replace('transformer.', prefix), own]]
      })
      tensors.set(`${prefix}h.0.attn.bias`, randomTensor([1, 1, 32, 32], 1))
      expect(numbers(await load({ ...json, n_positions: 32 }, tensors))).toEqual(numbers(model))
    }
  })

  it.each(['language_model.model.', 'model.language_model.'])(
    'finds the text part of a Gemma 3 that sees: %s',
    async (prefix) => {
      const text = { ...TINY, sliding_window: 4, query_pre_attn_scalar: 8, rope_theta: 5e5 }
      const model = randomModel({ model_type: 'gemma3_text', ...text })
      const json = {
        model_type: 'gemma3',
        architectures: ['Gemma3ForConditionalGeneration'],
        text_config: { model_type: 'gemma3_text', ...text },
        vision_config: { hidden_size: 8 },
        mm_tokens_per_image: 256,
      }
      const tensors = stored(model, (name, tensor) => [[name.replace('model.', prefix), tensor]])
      tensors.set('vision_tower.vision_model.embeddings.weight', randomTensor([2, 2], 1))
      tensors.set('multi_modal_projector.weight', randomTensor([2, 2], 1))
      expect(numbers(await load(json, tensors))).toEqual(numbers(model))
      tensors.set('audio_tower.weight', randomTensor([2, 2], 1))
      await expect(load(json, tensors)).rejects.toThrow('audio_tower.weight')
    },
  )
})

describe('config.json', () => {
  const parse = (json: object): object => parseConfig(json, allFamilies).config

  it.each<[string, object, string]>([
    ['bert', {}, 'Expected model_type in config.json to be one of llama, qwen2, qwen3,'],
    ['mamba', {}, 'can be quantized all the same, as files'],
    ['qwen3', { attn_logit_softcapping: 30 }, 'attn_logit_softcapping: 30'],
    ['mistral', { rope_interleaved: true }, 'rope_interleaved: true'],
    ['phi3', { partial_rotary_factor: 2 }, 'partial_rotary_factor in config.json to be a number'],
    ['gemma2', { layer_types: ['full_attention'] }, 'for each of 26 layers'],
    ['gemma3_text', { use_bidirectional_attention: true }, 'use_bidirectional_attention: true'],
    ['olmo2', { clip_qkv: 8 }, 'clip_qkv: 8'],
    ['granite', { shared_intermediate_size: 8 }, 'shared_intermediate_size: 8'],
    ['mixtral', { router_jitter_noise: 0.1 }, 'router_jitter_noise: 0.1'],
    ['qwen3_moe', { shared_expert_intermediate_size: 4 }, 'shared_expert_intermediate_size: 4'],
    ['gpt2', { scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx: true'],
    ['gpt2', { activation_function: 'relu' }, 'activation_function in config.json to be one of'],
    ['gpt_oss', { quantization_config: { quant_method: 'mxfp4' } }, 'quantization_config'],
    ['gpt_oss', { swiglu_limit: 5 }, 'swiglu_limit: 5'],
    ['lfm2', { layer_types: ['conv', 'mamba'], num_hidden_layers: 2 }, 'full_attention for each'],
    ['qwen2', { num_hidden_layers: 1, layer_types: ['sliding_attention'] }, 'no sliding_window'],
  ])('of %s refuses %j', (model_type, fields, message) => {
    expect(() => parse({ model_type, ...fields })).toThrow(message)
  })

  it('has the family that model_type names, of those that are passed', () => {
    expect(parseConfig({ model_type: 'qwen3' }, [qwen3]).family).toBe(qwen3)
    expect(() => parseConfig({ model_type: 'llama' }, [qwen3])).toThrow('to be one of qwen3')
  })

  it('reads Gemma 3 as transformers 4 and 5 write it', () => {
    const old = {
      ...{ model_type: 'gemma3_text', num_hidden_layers: 7, sliding_window: 512 },
      ...{ rope_theta: 1e6, rope_local_base_freq: 1e4, sliding_window_pattern: 6 },
      rope_scaling: { rope_type: 'linear', factor: 8 },
    }
    const types = [0, 1, 2, 3, 4, 5, 6].map((i) =>
      i === 5 ? 'full_attention' : 'sliding_attention',
    )
    const written = {
      ...{ model_type: 'gemma3_text', num_hidden_layers: 7, sliding_window: 512 },
      layer_types: types,
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 8, rope_theta: 1e6 },
        sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
      },
    }
    expect(parse(written)).toEqual(parse(old))
    expect(parse(old)).toMatchObject({
      layerRopes: types.map((type) =>
        type === 'full_attention'
          ? { type: 'linear', theta: 1e6, factor: 8 }
          : { type: 'default', theta: 1e4 },
      ),
    })
  })

  it('knows windows that are on, off, and in some layers', () => {
    const windows = (json: object): unknown =>
      (parse(json) as { layerCaches?: { slidingWindow?: number }[] }).layerCaches?.map(
        ({ slidingWindow }) => slidingWindow,
      )
    const two = { num_hidden_layers: 2 }
    expect(windows({ model_type: 'mistral', ...two })).toEqual([4096, 4096])
    expect(windows({ model_type: 'mistral', ...two, sliding_window: null })).toBeUndefined()
    expect(windows({ model_type: 'gemma2', ...two })).toEqual([4096, undefined])
    expect(windows({ model_type: 'qwen2', ...two, sliding_window: 9 })).toBeUndefined()
    const used = { use_sliding_window: true, max_window_layers: 1, sliding_window: 9 }
    expect(windows({ model_type: 'qwen2', ...two, ...used })).toEqual([undefined, 9])
  })

  it('reads longrope beside the positions that a model was trained on', () => {
    const rope_scaling = { type: 'su', short_factor: [1, 1], long_factor: [2, 3] }
    const json = {
      ...{ model_type: 'phi3', hidden_size: 16, num_attention_heads: 4, rope_scaling },
      ...{ max_position_embeddings: 131072, original_max_position_embeddings: 4096 },
    }
    const { rope, keepsIds } = parseConfig(json, allFamilies).config
    expect(rope).toMatchObject({
      type: 'longrope',
      longFactors: [2, 3],
      originalMaxPositions: 4096,
    })
    expect(keepsIds).toBe(true)
    expect((rope as { attentionFactor: number }).attentionFactor).toBeCloseTo(1.1902, 4)
  })
})
