/** @file Checkpoints that tests write themselves. */

import { fromFloat32, type FloatDType, type Tensor } from '@ao/base-tensor'
import {
  flattenTensorStateDict,
  memoryFolder,
  serializeSafetensors,
  type CheckpointFolder,
} from '@ao/safetensors'
import { mulberry32 } from '@ao/text-generation'
import { parseLlamaConfig } from '../src/llama-config.ts'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'

/** config.json of a model of a few thousand weights: grouped queries, untied, odd sizes. */
export const TINY = {
  model_type: 'llama',
  vocab_size: 37,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 32,
  rope_theta: 1000,
}

/** Random weights for every parameter of a config. */
export function randomWeights(config: object, dtype: FloatDType = 'float32'): Map<string, Tensor> {
  const next = mulberry32(5)
  const model = new LlamaForCausalLM(parseLlamaConfig(config))
  return new Map(
    [...model.stateDict()].map(([name, { shape, numel }]) => {
      const values = Float32Array.from({ length: numel }, () => next() - 0.5)
      return [name, fromFloat32(values, shape, dtype)]
    }),
  )
}

/** A folder with config.json and these weights, quantized or not, in as many shards of dense ones as asked. */
export function checkpointFolder(
  config: object,
  weights: ReadonlyMap<string, Tensor>,
  { shards = 1 }: { shards?: number } = {},
): CheckpointFolder {
  const files = new Map([['config.json', jsonBytes(config)]])
  const shardOf = (i: number): string => `model-${(i % shards) + 1}-of-${shards}.safetensors`
  const entries = [...weights]
  if (shards === 1) {
    const { tensors, metadata } = flattenTensorStateDict(weights)
    files.set('model.safetensors', serializeSafetensors(tensors, metadata))
  } else {
    const places = entries.map(([name], i) => [name, shardOf(i)])
    const index = { metadata: {}, weight_map: Object.fromEntries(places) }
    files.set('model.safetensors.index.json', jsonBytes(index))
    for (let shard = 0; shard < shards; shard++) {
      const own = entries.filter((_, i) => i % shards === shard)
      files.set(shardOf(shard), serializeSafetensors(own))
    }
  }
  return memoryFolder(files, 'tiny')
}

export function jsonBytes(json: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json))
}
