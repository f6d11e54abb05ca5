import { describe, expect, it } from 'vitest'
import { parseLlamaConfig } from '../src/config.ts'

const llama = (fields: object = {}) => parseLlamaConfig({ model_type: 'llama', ...fields })

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

  const LLAMA3 = {
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  }
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
      'Expected vocab_size in config.json to be an integer from 1 to 16777216, got -1.',
    ],
    [
      { hidden_size: '256' },
      'Expected hidden_size in config.json to be an integer from 1 to 16777216, got "256".',
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
      'Expected hidden_act in config.json to be one of silu, gelu, got "relu".',
    ],
    [{ rms_norm_eps: 0 }, 'Expected rms_norm_eps in config.json to be a number above 0, got 0.'],
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
      { rope_scaling: { type: 'dynamic', factor: 2 } },
      'Expected type in rope_scaling in config.json to be one of default, linear, llama3, got "dynamic".',
    ],
    [
      { rope_parameters: { rope_type: 'yarn', factor: 2 } },
      'Expected rope_type in rope_parameters in config.json to be one of default, linear, llama3, got "yarn".',
    ],
    [
      { rope_parameters: { rope_type: 'linear' } },
      'Expected factor in rope_parameters in config.json to be a number above 0, got nothing.',
    ],
    [
      { rope_parameters: { rope_type: 'llama3', ...LLAMA3, high_freq_factor: 1 } },
      'Expected high_freq_factor in rope_parameters in config.json to be above low_freq_factor, 1, got 1.',
    ],
    [
      { rope_parameters: { partial_rotary_factor: 0.5 } },
      'Expected partial_rotary_factor in rope_parameters in config.json to be 1 or absent, got 0.5. ' +
        'Rotating part of a head is not supported.',
    ],
    [
      { rope_scaling: 'linear' },
      'Expected rope_scaling in config.json to hold a JSON object, got "linear".',
    ],
  ])('refuses %j', (fields, message) => {
    expect(() => llama(fields)).toThrow(`[@ao/llama] ${message}`)
  })

  it('refuses JSON that is no object', () => {
    expect(() => parseLlamaConfig([], 'x/config.json')).toThrow(
      '[@ao/llama] Expected x/config.json to hold a JSON object, got [].',
    )
  })
})
