/** @file Experts that are stored and quantized one by one are stacked when a model is loaded. */

import {
  cpu,
  fromFloat32,
  hostFloat32,
  isTensorSubclass,
  type QuantizationConfig,
  type Tensor,
} from '@ao/base-tensor'
import { allFamilies, AutoModelForCausalLM, CausalLM, parseConfig } from '@ao/causal-lm'
import { Float8DynamicActivationFloat8WeightConfig, Float8WeightOnlyConfig } from '@ao/float8'
import { PerGroup, PerRow } from '@ao/granularity'
import { Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig } from '@ao/int8'
import { Int8DynamicActivationIntxWeightConfig, IntxWeightOnlyConfig } from '@ao/intx'
import { Int4WeightOnlyConfig, quantizeStateDict } from '@ao/quantize'
import { flattenTensorStateDict, memoryFolder, serializeSafetensors } from '@ao/safetensors'
import { mulberry32 } from '@ao/text-generation'
import { describe, expect, it } from 'vitest'
import { FORMATS, INT4_FORMATS } from '../src/formats.ts'
import { modelRoles } from '../src/load-model.ts'

const JSON_CONFIG = {
  ...{ model_type: 'qwen3_moe', vocab_size: 37, hidden_size: 128, num_hidden_layers: 1 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, head_dim: 32, max_position_embeddings: 32 },
  ...{ num_experts: 3, num_experts_per_tok: 2, moe_intermediate_size: 128 },
}
const IDS = [3, 14, 15, 9, 26]
/** Its tiles are not joined. */
const TILED = 'Int4TilePackedTo4dTensor'

/** Random weights, with experts one by one, as files hold them. */
function storedWeights(): Map<string, Tensor> {
  const { config, family } = parseConfig(JSON_CONFIG, allFamilies)
  const next = mulberry32(5)
  const random = (shape: readonly number[]): Tensor => {
    const count = shape.reduce((a, b) => a * b, 1)
    const values = Float32Array.from({ length: count }, () => (next() - 0.5) / 4)
    return fromFloat32(values, shape, 'bfloat16')
  }
  const model = new CausalLM(config, family, { device: cpu })
  const entries = [...model.stateDict()].flatMap(([name, { shape }]) => {
    const [start, part] = name.split('experts.')
    if (start === undefined || part === undefined) return [[name, random(shape)] as const]
    const names = part === 'down_proj' ? ['down_proj'] : ['gate_proj', 'up_proj']
    return [0, 1, 2].flatMap((expert) =>
      names.map((own) => [`${start}experts.${expert}.${own}.weight`, random([128, 128])] as const),
    )
  })
  return new Map(entries)
}

const CASES: readonly (readonly [string, QuantizationConfig])[] = [
  ['int8', new Int8WeightOnlyConfig()],
  ['int8 dynamic', new Int8DynamicActivationInt8WeightConfig()],
  ['float8', new Float8WeightOnlyConfig()],
  ['float8 dynamic', new Float8DynamicActivationFloat8WeightConfig({ granularity: PerRow() })],
  ['intx', new IntxWeightOnlyConfig({ granularity: PerGroup(32) })],
  ['8da4w', new Int8DynamicActivationIntxWeightConfig({ weightGranularity: PerGroup(32) })],
  ...INT4_FORMATS.filter(({ formatName }) => formatName !== TILED).map(
    (packingFormat) =>
      [
        packingFormat.formatName,
        new Int4WeightOnlyConfig({ packingFormat, groupSize: 32 }),
      ] as const,
  ),
]

function load(weights: ReadonlyMap<string, Tensor>): Promise<CausalLM> {
  const { tensors, metadata } = flattenTensorStateDict(weights)
  const files = new Map([
    ['config.json', new TextEncoder().encode(JSON.stringify(JSON_CONFIG))],
    ['model.safetensors', serializeSafetensors(tensors, metadata)],
  ])
  const options = { families: allFamilies, formats: FORMATS }
  return AutoModelForCausalLM.fromPretrained(memoryFolder(files, 'tiny'), options)
}

describe('experts of', () => {
  it.each(CASES)('%s', async (_name, config) => {
    const stored = storedWeights()
    const { stateDict, report } = await quantizeStateDict(stored, config, {
      filter: (name) => /experts\.\d/.test(name),
    })
    expect(report.quantized).toHaveLength(9)
    const model = await load(stateDict)
    const experts = [...model.stateDict()].filter(([name]) => name.includes('experts.'))
    expect(experts.map(([, tensor]) => isTensorSubclass(tensor))).toEqual([true, true])
    const logits = hostFloat32(model.forward(IDS))
    const plain = new Map(
      [...stateDict].map(([name, t]) => [name, isTensorSubclass(t) ? t.dequantize() : t]),
    )
    const expected = hostFloat32((await load(plain)).forward(IDS))
    const squares = (numbers: Float32Array): number => numbers.reduce((sum, x) => sum + x * x, 0)
    const error = squares(expected.map((x, i) => x - (logits[i] as number))) / squares(expected)
    expect(error).toBeLessThan(1e-3)
  })

  it('a format that joins nothing are refused', async () => {
    const packingFormat = INT4_FORMATS.find(({ formatName }) => formatName === TILED)
    const config = new Int4WeightOnlyConfig({
      packingFormat: packingFormat as never,
      groupSize: 32,
    })
    const { stateDict } = await quantizeStateDict(storedWeights(), config, {
      filter: (name) => /experts\.\d/.test(name),
    })
    await expect(load(stateDict)).rejects.toThrow(/mlp.experts.gate_up_proj.*another format/)
  })
})

it('what files hold as (in, out) is a linear layer in memory', async () => {
  const config = new TextEncoder().encode(JSON.stringify({ model_type: 'gpt2', n_embd: 64 }))
  const roles = await modelRoles(memoryFolder(new Map([['config.json', config]]), 'gpt2'))
  const shape = { shape: [192, 64], dtype: 'float32' } as const
  const decision = roles('transformer.h.0.attn.c_attn.weight', shape as never)
  expect(decision).toMatchObject({ role: 'linear', reason: undefined })
})
