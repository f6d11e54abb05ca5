/** @file Small models of random weights, of any family. */

import { cpu, fromFloat32, type Tensor } from '@ao/base-tensor'
import { allFamilies, CausalLM, parseConfig } from '@ao/causal-lm'
import { flattenTensorStateDict, memoryFolder, serializeSafetensors } from '@ao/safetensors'
import type { CheckpointFolder } from '@ao/safetensors'
import { mulberry32 } from '@ao/text-generation'

/** config.json of a tiny model; `model_type` and what its family needs come on top. */
export const TINY: Readonly<Record<string, number>> = {
  vocab_size: 37,
  hidden_size: 24,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
  max_position_embeddings: 64,
}

/** Numbers around 0, always the same. */
export function randomTensor(shape: readonly number[], seed: number): Tensor {
  const next = mulberry32(seed)
  const count = shape.reduce((a, b) => a * b, 1)
  return fromFloat32(
    Float32Array.from({ length: count }, () => next() - 0.5),
    shape,
    'float32',
  )
}

/** A model of this config with random weights. */
export function randomModel(json: object): CausalLM {
  const { config, family } = parseConfig(json, allFamilies)
  const model = new CausalLM(config, family, { device: cpu })
  const entries = [...model.stateDict()].map(
    ([name, { shape }], i) => [name, randomTensor(shape, i)] as const,
  )
  model.loadStateDict(new Map(entries))
  return model
}

/** A folder with this config.json and these tensors. */
export function folderOf(json: object, tensors: ReadonlyMap<string, Tensor>): CheckpointFolder {
  const flat = flattenTensorStateDict(tensors)
  const text = new TextEncoder().encode(JSON.stringify(json))
  const weights = serializeSafetensors(flat.tensors, flat.metadata)
  return memoryFolder(
    new Map([
      ['config.json', text],
      ['model.safetensors', weights],
    ]),
    'tiny',
  )
}
