import type { Json } from '@ao/base-tensor'
import { describe, expect, it } from 'vitest'
import { findQuantization, type ListedTensor } from '../src/index.ts'

const Q = 'model.layers.0.self_attn.q_proj'
const listed = (entries: Readonly<Record<string, string>>): ListedTensor[] =>
  Object.entries(entries).map(([name, dtype]) => ({ name, dtype, shape: [8, 8] }))
const methods = (config: Json, entries: Readonly<Record<string, string>> = {}): string[] =>
  findQuantization(config, listed(entries)).map(({ method }) => method)

describe('a quantization in config.json', () => {
  it.each<[string, Json]>([
    ['torchao', { quantization_config: { quant_method: 'torchao', quant_type: {} } }],
    ['gptq', { quantization_config: { quant_method: 'gptq', bits: 4 } }],
    ['bitsandbytes', { quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } }],
    ['an unnamed method', { quantization_config: { load_in_8bit: true } }],
    ['MLX', { quantization: { group_size: 64, bits: 4 } }],
    ['compressed-tensors', { compression_config: { config_groups: {} } }],
    ['pack-quantized', { compression_config: { format: 'pack-quantized' } }],
    ['FP8', { quantization: { quant_algo: 'FP8' } }],
    ['fp8', { text_config: { quantization_config: { quant_method: 'fp8' } } }],
  ])('%s', (method, config) => {
    expect(methods(config)).toEqual([method])
  })

  it('of two, finds both and says where', () => {
    const config = {
      quantization: { bits: 4 },
      a: { quantization_config: { quant_method: 'awq' } },
    }
    expect(findQuantization(config, [])).toEqual([
      { method: 'MLX', evidence: 'quantization in config.json' },
      { method: 'awq', evidence: 'a.quantization_config in config.json' },
    ])
  })

  it.each<Json>([
    null,
    {},
    { quantization_config: null },
    { quantization: false },
    { quantization: {} },
    [],
  ])('is not in %j', (config) => {
    expect(methods(config)).toEqual([])
  })
})

describe('a quantization in tensors', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['AWQ or GPTQ', { [`${Q}.qweight`]: 'I32', [`${Q}.qzeros`]: 'I32', [`${Q}.scales`]: 'F16' }],
    ['compressed-tensors', { [`${Q}.weight_packed`]: 'I32', [`${Q}.weight_scale`]: 'BF16' }],
    ['bitsandbytes', { [`${Q}.weight`]: 'U8', [`${Q}.weight.absmax`]: 'F32' }],
    [
      'bitsandbytes',
      { [`${Q}.weight`]: 'U8', [`${Q}.weight.quant_state.bitsandbytes__nf4`]: 'U8' },
    ],
    ['bitsandbytes', { [`${Q}.weight`]: 'I8', [`${Q}.SCB`]: 'F32' }],
    ['MLX', { [`${Q}.weight`]: 'U32', [`${Q}.scales`]: 'F16', [`${Q}.biases`]: 'F16' }],
    ['MLX', { [`${Q}.weight`]: 'U32', [`${Q}.scales`]: 'U8' }],
    ['MXFP4', { 'mlp.experts.down_proj_blocks': 'U8', 'mlp.experts.down_proj_scales': 'U8' }],
    ['HQQ', { [`${Q}.W_q`]: 'U8' }],
    ['Quanto', { [`${Q}.weight._data`]: 'I8', [`${Q}.weight._scale`]: 'BF16' }],
    ['AQLM', { [`${Q}.codes`]: 'I16', [`${Q}.codebooks`]: 'F16' }],
    ['fp8', { [`${Q}.weight`]: 'F8_E4M3', [`${Q}.weight_scale_inv`]: 'F32' }],
    ['fp8', { [`${Q}.weight`]: 'F8_E4M3', [`${Q}.scale_weight`]: 'F32' }],
    ['fp8 or int8', { [`${Q}.weight`]: 'F8_E4M3', [`${Q}.weight_scale`]: 'BF16' }],
    ['fp8 or int8', { [`${Q}.weight`]: 'I8', [`${Q}.weight_scale`]: 'BF16' }],
    ['MX formats', { [`${Q}.weight`]: 'F4' }],
    ['MX formats', { [`${Q}.weight`]: 'F6_E2M3' }],
    ['MX formats', { [`${Q}.weight_exponent`]: 'F8_E8M0' }],
    ['packing', { [`${Q}.weight`]: 'I32' }],
    [
      'torchao, its metadata lost,',
      { [`${Q}._weight_qdata`]: 'I8', [`${Q}._weight_scale`]: 'F32' },
    ],
  ])('%s', (method, entries) => {
    expect(methods(null, entries)).toEqual([method])
  })

  it.each<Readonly<Record<string, string>>>([
    { [`${Q}.weight`]: 'BF16', [`${Q}.bias`]: 'BF16', 'embeddings.position_ids': 'I64' },
    { [`${Q}.weight`]: 'F8_E4M3' },
    { [`${Q}.weight`]: 'F64' },
    { 'layer.scale': 'F32', 'layer.weight': 'F32' },
    { 'layer.weight_scale': 'F32', 'layer.weight': 'F32' },
    { 'net.scales': 'F32', 'net.biases_of': 'F32' },
    { transformer_blocks: 'F32' },
  ])('is not in %j', (entries) => {
    expect(methods(null, entries)).toEqual([])
  })
})
