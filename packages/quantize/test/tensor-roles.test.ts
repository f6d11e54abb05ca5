import { describe, expect, it } from 'vitest'
import { zeros, type Json } from '@ao/base-tensor'
import {
  FqnToConfig,
  MODEL_FAMILIES,
  quantizeStateDict,
  tensorRoles,
  type TensorRole,
} from '../src/index.ts'
import {
  BERT,
  CONV1D,
  DECODER,
  EACH_EXPERT,
  FAMILIES,
  H,
  SQUARE,
  T5,
  type Case,
} from './role-cases.ts'
import { StepConfig, StepTensor } from './stand-ins.ts'

const rolesOf = (config: Json): ((name: string, shape: readonly number[]) => TensorRole) => {
  const roles = tensorRoles(config, MODEL_FAMILIES)
  return (name, shape) => roles(name, { shape, dtype: 'bfloat16' }).role
}

describe('the table of a family', () => {
  it.each(Object.entries(FAMILIES))('%s', (family, cases) => {
    const role = rolesOf({ model_type: family, hidden_size: H })
    const found = cases.map(([name, shape]) => [name, role(name, shape)])
    expect(found).toEqual(cases.map(([name, , expected]) => [name, expected]))
  })

  it('has patterns that are regular expressions, and each model type once', () => {
    for (const { roles } of MODEL_FAMILIES) {
      for (const pattern of Object.values(roles).flat())
        expect(() => new RegExp(pattern)).not.toThrow()
    }
    const types = MODEL_FAMILIES.flatMap(({ modelTypes }) => modelTypes)
    expect(new Set(types).size).toBe(types.length)
  })

  it('is found by architectures, too', () => {
    const square = SQUARE
    for (const name of ['GPT2LMHeadModel', 'GPT2Model', 'GPT2ForSequenceClassification']) {
      const role = rolesOf({ architectures: [name] })
      expect(role('transformer.h.0.attn.c_attn.weight', square)).toBe('transposed linear')
    }
    expect(rolesOf({ architectures: ['GPTNeoForCausalLM'] })('h.0.mlp.c_fc.weight', square)).toBe(
      'linear',
    )
    expect(
      rolesOf({ architectures: ['GptOssForCausalLM'], hidden_size: H })(
        'model.layers.0.mlp.experts.down_proj',
        [4, H, H],
      ),
    ).toBe('transposed experts')
  })

  it('is that of each part of a model of several', () => {
    const role = rolesOf({
      model_type: 'vision-encoder-decoder',
      encoder: { model_type: 'vit', hidden_size: 32 },
      decoder: { model_type: 'gpt2', n_embd: H },
    })
    expect(role('decoder.transformer.h.0.crossattention.q_attn.weight', SQUARE)).toBe(
      'transposed linear',
    )
    expect(role('encoder.encoder.layer.0.attention.attention.query.weight', SQUARE)).toBe('linear')
    const llava = rolesOf({
      model_type: 'llava',
      text_config: { model_type: 'mixtral', hidden_size: H },
    })
    expect(llava('language_model.model.layers.0.block_sparse_moe.gate.weight', [2, H])).toBe(
      'router',
    )
    expect(llava('multi_modal_projector.linear_1.weight', SQUARE)).toBe('linear')
  })

  it('says which rule decided', () => {
    const roles = tensorRoles({ model_type: 'gpt2' }, MODEL_FAMILIES)
    const rule = (name: string, shape: number[]): string =>
      roles(name, { shape, dtype: 'float32' }).rule
    expect(rule('wte.weight', [4, 4])).toBe('family gpt2')
    expect(rule('speaker_embedding.weight', [4, 4])).toBe('name rule')
    expect(rule('up.weight', [4, 4])).toBe('shape rule')
  })
})

describe('stacked experts', () => {
  const name = 'model.layers.0.mlp.experts'
  it.each<[string, Json]>([
    ['of a family that stores (E, out, in)', { model_type: 'qwen3_moe', hidden_size: H }],
    ['of a family that stores (E, in, out)', { model_type: 'gpt_oss', hidden_size: H }],
    ['of no known family', { model_type: 'unheard_of', hidden_size: H }],
    ['of a part', { model_type: 'x', text_config: { model_type: 'y', hidden_size: H } }],
  ])('%s have the layout that hidden_size proves', (_, config) => {
    const role = rolesOf(config)
    expect(role(`${name}.gate_up_proj`, [4, 96, H])).toBe('experts')
    expect(role(`${name}.gate_up_proj`, [4, H, 96])).toBe('transposed experts')
    expect(role(`${name}.down_proj`, [4, H, 48])).toBe('experts')
    expect(role(`${name}.down_proj`, [4, 48, H])).toBe('transposed experts')
    expect(role(`${name}.w2`, [4, 48, H])).toBe('transposed experts')
    expect(role(`${name}.down_proj`, [4, 48, 47])).toBe('experts of unknown layout')
  })

  it('stay where nothing says how they lie', () => {
    for (const config of [null, {}, { model_type: 'qwen3_moe' }, { model_type: 'gpt_oss' }]) {
      const role = rolesOf(config)
      expect(role(`${name}.gate_up_proj`, [4, 64, 128])).toBe('experts of unknown layout')
    }
  })

  it('(E, out, in) are quantized, others not even where a key names them', async () => {
    const config = { model_type: 'qwen3_moe', hidden_size: 4 }
    const entries = new Map([
      ['a.experts.gate_up_proj', zeros([2, 6, 4])],
      ['b.experts.gate_up_proj', zeros([2, 4, 6])],
      ['c.mlp.gate.weight', zeros([2, 4])],
    ])
    const options = { roles: tensorRoles(config, MODEL_FAMILIES) }
    const plain = await quantizeStateDict(entries, new StepConfig(), options)
    expect(plain.report.quantized.map((weight) => weight.name)).toEqual(['a.experts.gate_up_proj'])
    expect(plain.stateDict.get('a.experts.gate_up_proj')).toBeInstanceOf(StepTensor)
    const byName = new FqnToConfig(
      Object.fromEntries([...entries.keys()].map((key) => [key, new StepConfig()])),
    )
    const named = await quantizeStateDict(entries, byName, options)
    expect(named.report.quantized.map((weight) => weight.name)).toEqual([
      'a.experts.gate_up_proj',
      'c.mlp.gate.weight',
    ])
    expect(named.report.unusedKeys).toEqual([])
    expect(named.report.skipped).toEqual([
      {
        name: 'b.experts.gate_up_proj',
        reason: 'it holds experts stored (E, in, out), and scales go with rows of (out, in)',
      },
    ])
  })
})

describe('names of no known family', () => {
  const cases: readonly Case[] = [
    ...DECODER,
    ...T5,
    ...BERT,
    ...EACH_EXPERT,
    ...CONV1D,
    ['text.rel_pos.weight', [32, 8], 'embedding'],
    ['blocks.0.attn.relative_position_bias_table.weight', [169, 4], 'embedding'],
    ['speaker_embedding.weight', [10, 16], 'embedding'],
    ['spk_emb.weight', [10, 16], 'embedding'],
    ['model.embed_tokens_per_layer.weight', [10, 16], 'embedding'],
    ['model.decoder.embed_tokens.3.weight', [10, 16], 'embedding'],
    ['embedder.weight', [10, 16], 'embedding'],
    ['query_position_embeddings.weight', [10, 16], 'embedding'],
    ['x_embedder.weight', [10, 16], 'linear'],
    ['model.embedding_projection.weight', [10, 16], 'linear'],
    ['encoder.layers.0.attn.linear_pos.weight', [10, 16], 'linear'],
    ['lm_head.0.weight', [10, 16], 'output head'],
    ['lm_heads.7.weight', [10, 16], 'output head'],
    ['transformer.output_layer.weight', [10, 16], 'output head'],
    ['proj_out.weight', [10, 16], 'output head'],
    ['head.weight', [1000, 16], 'output head'],
    ['head.weight', [10, 16], 'linear'],
    ['transformer_blocks.0.proj_out.weight', [10, 16], 'linear'],
    ['predictions.decoder.weight', [10, 16], 'output head'],
    ['model.layers.0.moe.router.weight', [4, 16], 'router'],
    ['model.layers.0.moe.router.proj.weight', [4, 16], 'router'],
    ['model.layers.0.moe.gate.wg.weight', [4, 16], 'router'],
    ['model.layers.0.mlp.gate.weight', [32, 16], 'linear'],
    ['layers.0.q_proj.lora_A.default.weight', [8, 16], 'adapter'],
    ['layers.0.q_proj.lora_B.weight', [16, 8], 'adapter'],
    ['layers.0.q_proj.base_layer.weight', [16, 16], 'linear'],
    ['base_model.model.lm_head.modules_to_save.default.weight', [10, 16], 'output head'],
    ['layers.0.mixer.conv1d.weight', [16, 1, 4], 'convolution'],
    ['patch.proj.weight', [16, 3, 8, 8], 'convolution'],
    ['layers.0.q_norm.weight', [4, 16], 'norm'],
    ['h.0.attn.c_attn.weight', [48, 16], 'linear'],
    ['h.0.mlp.c_proj.weight', [16, 64], 'linear'],
    ['layers.0.q_proj.bias', [16], 'other'],
    ['layers.0.experts.bias', [4, 16], 'other'],
  ]
  it.each(cases)('%s %j: %s', (name, shape, role) => {
    expect(tensorRoles()(name, { shape, dtype: 'float32' }).role).toBe(role)
  })
})
