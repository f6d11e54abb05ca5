import { describe, expect, it } from 'vitest'
import { type ConfigOptions, type Ignored } from '@ao/text-generation'
import { parseLlamaConfig } from '../src/llama-config.ts'

const llama = (fields: object = {}, options: ConfigOptions = {}) =>
  parseLlamaConfig(
    Object.assign(Object.create(null), { model_type: 'llama' }, fields),
    undefined,
    options,
  )

const LLAMA3 = {
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
}

describe('parseLlamaConfig', () => {
  it('has the defaults of transformers', () => {
    expect(llama()).toEqual({
      vocabSize: 32000,
      hiddenSize: 4096,
      intermediateSize: 11008,
      numLayers: 32,
      numHeads: 32,
      numKeyValueHeads: 32,
      headDim: 128,
      hiddenAct: 'silu',
      rmsNormEps: 1e-6,
      maxPositions: 2048,
      rope: { type: 'default', theta: 10000 },
      tieWordEmbeddings: false,
      attentionBias: false,
      mlpBias: false,
      dtype: undefined,
      eosTokenIds: [2],
    })
  })

  const llama3 = {
    type: 'llama3',
    theta: 500000,
    factor: 32,
    lowFreqFactor: 1,
    highFreqFactor: 4,
    originalMaxPositions: 8192,
  }

  it.each([
    ['transformers 4', { rope_theta: 500000, rope_scaling: { rope_type: 'llama3', ...LLAMA3 } }],
    ['transformers 5', { rope_parameters: { rope_type: 'llama3', rope_theta: 500000, ...LLAMA3 } }],
  ])('reads llama3 rope as %s writes it', (_, fields) => {
    expect(llama(fields).rope).toEqual(llama3)
  })

  it.each([
    [
      { rope_theta: 5, rope_scaling: null },
      { type: 'default', theta: 5 },
    ],
    [{ rope_scaling: { type: 'linear', factor: 2 } }, { type: 'linear', theta: 10000, factor: 2 }],
    [{ rope_parameters: { rope_theta: 7, rope_type: 'default' } }, { type: 'default', theta: 7 }],
    [
      { rope_theta: 5, rope_parameters: { rope_type: 'default' } },
      { type: 'default', theta: 5 },
    ],
  ])('reads rope of %j', (fields, rope) => {
    expect(llama(fields).rope).toEqual(rope)
  })

  it('reads the dtype under both names, and all ways to write the end of text', () => {
    expect(llama({ torch_dtype: 'bfloat16' }).dtype).toBe('bfloat16')
    expect(llama({ dtype: 'float16', torch_dtype: 'bfloat16' }).dtype).toBe('float16')
    expect(llama({ eos_token_id: [128001, 128009] }).eosTokenIds).toEqual([128001, 128009])
    expect(llama({ eos_token_id: null }).eosTokenIds).toEqual([])
  })

  it('takes head_dim before hidden_size / num_attention_heads, and null as not set', () => {
    expect(llama({ hidden_size: 100, num_attention_heads: 3, head_dim: 64 }).headDim).toBe(64)
    expect(llama({ head_dim: null, num_key_value_heads: null })).toMatchObject({
      headDim: 128,
      numKeyValueHeads: 32,
    })
  })

  it.each<[object, string]>([
    [
      { model_type: 'qwen2' },
      'Expected model_type in config.json to be one of llama, got "qwen2".',
    ],
    [{ model_type: null }, 'Expected model_type in config.json to be one of llama, got nothing.'],
    [
      { vocab_size: -1 },
      'Expected vocab_size in config.json to be an integer from 1 to 2097152, got -1.',
    ],
    [
      { hidden_size: '256' },
      'Expected hidden_size in config.json to be an integer from 1 to 65536, got "256".',
    ],
    [
      { num_hidden_layers: 1e9 },
      'Expected num_hidden_layers in config.json to be an integer from 1 to 1024, got 1000000000.',
    ],
    [
      { num_attention_heads: 3 },
      'Expected num_attention_heads in config.json to be a divisor of hidden_size, 4096, got 3.',
    ],
    [
      { num_key_value_heads: 5 },
      'Expected num_key_value_heads in config.json to be a divisor of num_attention_heads, 32, got 5.',
    ],
    [
      { head_dim: 63 },
      'Expected head_dim in config.json to be even: rotations act on pairs, got 63.',
    ],
    [
      { hidden_act: 'relu' },
      'Expected hidden_act in config.json to be one of silu, gelu, swish, gelu_pytorch_tanh, gelu_new, gelu_fast, got "relu".',
    ],
    [
      { rms_norm_eps: 0 },
      'Expected rms_norm_eps in config.json to be a number from 1e-30 to 1, got 0.',
    ],
    [
      { attention_bias: 'yes' },
      'Expected attention_bias in config.json to be true or false, got "yes".',
    ],
    [
      { torch_dtype: 'float64' },
      'Expected torch_dtype in config.json to be float32, float16 or bfloat16, got "float64".',
    ],
    [
      { eos_token_id: [1, 'x'] },
      'Expected eos_token_id in config.json to be a token id or a list of them, got [1,"x"].',
    ],
    [
      { rope_scaling: { type: 'mrope', factor: 2 } },
      'Expected type in rope_scaling in config.json to be one of default, linear, llama3, yarn, dynamic, longrope, got "mrope".',
    ],
    [
      { rope_parameters: { rope_type: 'longrope', factor: 2, long_factor: [1] } },
      'Expected short_factor in rope_parameters in config.json to be a list of numbers from 0.000001 to 1000000, got nothing.',
    ],
    [
      { rope_parameters: { rope_type: 'linear' } },
      'Expected factor in rope_parameters in config.json to be a number from 0.000001 to 1000000, got nothing.',
    ],
    [
      { rope_parameters: { rope_type: 'llama3', ...LLAMA3, high_freq_factor: 1 } },
      'Expected high_freq_factor in rope_parameters in config.json to be above low_freq_factor, 1, got 1.',
    ],
    [
      { rope_parameters: { partial_rotary_factor: 0.5 } },
      'Expected fields in config.json that are known, or that change nothing, got partial_rotary_factor ' +
        'in rope_parameters: 0.5. What they ask for is not computed.',
    ],
    [
      { rope_scaling: 'linear' },
      'Expected rope_scaling in config.json to hold a JSON object, got "linear".',
    ],
  ])('refuses %j', (fields, message) => {
    expect(() => llama(fields)).toThrow(`[@ao/text-generation] ${message}`)
  })

  it('refuses JSON that is no object', () => {
    expect(() => parseLlamaConfig([], 'x/config.json')).toThrow(
      '[@ao/text-generation] Expected x/config.json to hold a JSON object, got [].',
    )
  })
})

describe('fields that parseLlamaConfig does not read', () => {
  it.each<object>([
    {
      _name_or_path: 'x',
      transformers_version: '5.17.0',
      use_cache: true,
      initializer_range: 0.02,
    },
    { attention_dropout: 0.1, resid_pdrop: 0.1, router_aux_loss_coef: 0.001, pretraining_tp: 2 },
    { bos_token_id: 1, pad_token_id: 0, id2label: { 0: 'a' }, architectures: ['LlamaForCausalLM'] },
    { temperature: 0.6, repetition_penalty: 1.1, num_beams: 4, max_length: 20 },
    { quantization_config: { quant_method: 'torchao', quant_type: { default: {} } } },
    // Fields that would matter, with values by which they do not.
    { sliding_window: 2048, use_sliding_window: true, max_window_layers: 28 },
    { sliding_window: null, layer_types: ['full_attention', 'full_attention'] },
    { no_rope_layers: [1, 1, 1], is_causal: true },
    { attention_multiplier: 128 ** -0.5, query_pre_attn_scalar: 128, rotary_dim: 128 },
    { rope_scaling: { rope_type: 'default', original_max_position_embeddings: 8192 } },
    { rope_scaling: { rope_type: 'linear', type: 'linear', factor: 2, theta_scale: null } },
  ])('takes %j without a word', (fields) => {
    const ignored: Ignored[] = []
    llama(fields, { onIgnored: (what) => ignored.push(what) })
    expect(ignored).toEqual([])
  })

  it('lists unknown fields once that are null, off, zero or neutral', () => {
    const off = {
      gate: null,
      qk_layernorm: false,
      experts: 0,
      logits_scaling: 1,
      pruned: {},
      kinds: [],
    }
    const ignored: Ignored[] = []
    llama(off, { onIgnored: (what) => ignored.push(what) })
    const names = ['qk_layernorm', 'experts', 'logits_scaling', 'pruned', 'kinds']
    const message =
      'Fields in config.json are not known, and are taken for switched off: ' +
      `${names.join(', ')}.`
    expect(ignored).toEqual([{ kind: 'fields', names, message }])
    expect(llama(off)).toEqual(llama())
  })

  it.each<[object, string]>([
    [
      { attn_logit_softcapping: 50, final_logit_softcapping: 30 },
      'attn_logit_softcapping: 50, final',
    ],
    [{ sliding_window: 128 }, 'sliding_window: 128'],
    [{ sliding_window: '4096 tokens' }, 'sliding_window: "4096 tokens"'],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types: ["full_attention"'],
    [{ no_rope_layers: [1, 1, 0] }, 'no_rope_layers: [1,1,0]'],
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor: 0.5'],
    [{ rotary_pct: 0.25 }, 'rotary_pct: 0.25'],
    [{ embedding_multiplier: 12 }, 'embedding_multiplier: 12'],
    [{ residual_multiplier: 0.22 }, 'residual_multiplier: 0.22'],
    [{ attention_multiplier: 1 }, 'attention_multiplier: 1'],
    [{ logits_scaling: 8 }, 'logits_scaling: 8'],
    [{ logit_scale: 0 }, 'logit_scale: 0'],
    [{ clip_qkv: 8 }, 'clip_qkv: 8'],
    [{ qk_layernorm: true }, 'qk_layernorm: true'],
    [{ is_causal: false }, 'is_causal: false'],
    [{ use_rope: false }, 'use_rope: false'],
    [{ num_local_experts: 8 }, 'num_local_experts: 8'],
    [{ norm_type: 'layernorm' }, 'norm_type: "layernorm"'],
    [{ per_layer_config: { 3: { head_dim: 32 } } }, 'per_layer_config: {"3":{"head_dim":32}}'],
    [{ architectures: ['LlamaForSequenceClassification'] }, 'architectures: ["LlamaForSeq'],
    [{ quantization_config: { quant_method: 'gptq', bits: 4 } }, 'quantization_config: {"quant_m'],
    [{ quantization: { group_size: 64, bits: 4 } }, 'quantization: {"group_size":64,"bits":4}'],
    [JSON.parse('{ "__proto__": { "hidden_size": 3 } }') as object, '__proto__: {"hidden_size":3}'],
    [
      { rope_scaling: { rope_type: 'default', factor: 8 } },
      'factor in rope_scaling: 8. What they ask for',
    ],
    [
      { rope_parameters: { rope_type: 'default', mrope_section: [16, 24, 24] } },
      'mrope_section in rope_parameters: [16,24,24]',
    ],
  ])('refuses %j, and goes on where it is told to', (fields, got) => {
    const message = `[@ao/text-generation] Expected fields in config.json that are known, or that change nothing, got ${got}`
    expect(() => llama(fields)).toThrow(message)
    expect(() => llama(fields)).toThrow("`unknownFields: 'ignore'` runs the model without it.")
    const ignored: Ignored[] = []
    const onIgnored = (what: Ignored): unknown => ignored.push(what)
    const config = llama(fields, { unknownFields: 'ignore', onIgnored })
    expect(config).toEqual(llama())
    expect(ignored).toHaveLength(1)
    expect(ignored[0]?.message).toContain('are ignored: the model may be another one with them')
  })

  it.each<[object, string]>([
    [
      { rope_scaling: { factor: 8 } },
      'rope_type in rope_scaling in config.json to be one of default, linear, llama3, yarn, dynamic, longrope, got nothing.',
    ],
    [
      { rope_scaling: { type: 'mrope', rope_type: 'default', mrope_section: [16, 24, 24] } },
      'type in rope_scaling in config.json to be "default", as rope_type is, got "mrope".',
    ],
    [
      { rope_parameters: { full_attention: { rope_type: 'default' }, sliding_attention: null } },
      'rope_parameters in config.json to be one set of parameters, got {"full_attention"',
    ],
    [
      { rope_parameters: { rope_theta: 5 }, rope_scaling: { type: 'linear', factor: 2 } },
      'rope_scaling in config.json to be what rope_parameters says, got {"type":"linear","factor":2}.',
    ],
    [
      { rope_scaling: { rope_type: 'llama3', ...LLAMA3 }, original_max_position_embeddings: 4096 },
      'original_max_position_embeddings in config.json to be 8192, as beside rope_type, got 4096.',
    ],
    [{ rope_scaling: 2 }, 'rope_scaling in config.json to hold a JSON object, got 2.'],
    [{ hidden_act: 'relu' }, 'hidden_act in config.json to be one of'],
  ])('refuses %j whatever it is told', (fields, message) => {
    expect(() => llama(fields, { unknownFields: 'ignore' })).toThrow(
      `[@ao/text-generation] Expected ${message}`,
    )
  })

  it('takes two forms of rope that say the same, and the other name of silu', () => {
    const rope = { rope_type: 'linear', factor: 2, rope_theta: 7 }
    expect(llama({ rope_parameters: rope, rope_scaling: rope }).rope).toEqual({
      type: 'linear',
      theta: 7,
      factor: 2,
    })
    expect(llama({ hidden_act: 'swish' }).hiddenAct).toBe('silu')
  })

  it.each<[string, number]>([
    ['rms_norm_eps', 1e308],
    ['rms_norm_eps', 1e-300],
    ['rope_theta', 1e300],
    ['rope_theta', 0.5],
    ['head_dim', 2 ** 24],
    ['vocab_size', 2 ** 24],
    ['intermediate_size', 2 ** 24],
    ['hidden_size', 2 ** 24],
    ['num_attention_heads', 2 ** 13],
    ['max_position_embeddings', 2 ** 25],
  ])('refuses %s of %d, which no model has', (name, value) => {
    expect(() => llama({ [name]: value })).toThrow(
      `[@ao/text-generation] Expected ${name} in config.json to be`,
    )
  })
})
