/** @file The trained model that lies in the repository, and what transformers and torchao computed with it. */

import { readFileSync } from 'node:fs'
import {
  arrayFromBytes,
  fromArray,
  hostFloat32,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import type { CheckpointFolder } from '@ao/safetensors'
import { directory } from '@ao/safetensors/node'
import { loadTensors, modelPath } from '@ao/test-data'

interface Reference {
  readonly prompt_ids: readonly number[]
  /** Prompt and 64 greedy tokens, by configuration. */
  readonly greedy: Readonly<Record<string, readonly number[]>>
  /** Of the validation text, by configuration. */
  readonly perplexity: Readonly<Record<string, number>>
  readonly tokenizer_samples: readonly { text: string; ids: number[]; decoded: string }[]
}

export const folder: CheckpointFolder = directory(modelPath('stories-4m'))

export function readStoriesJson(name: string): object {
  return JSON.parse(readFileSync(modelPath(`stories-4m/${name}`), 'utf8')) as object
}

export const reference: Reference = readStoriesJson('reference.json') as Reference

const logits = loadTensors(
  modelPath('stories-4m/reference_logits.safetensors'),
  (dtype, shape, bytes) =>
    fromArray(arrayFromBytes(dtype as StoredDType, bytes), shape, dtype as StoredDType),
)

/** Logits of the prompt (T, 2048), by configuration. */
export function referenceLogits(configuration: string): Float32Array {
  return hostFloat32(logits.get(`logits/${configuration}`) as Tensor)
}
