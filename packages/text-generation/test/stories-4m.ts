/** @file The trained model that lies in the repository, and what transformers and torchao computed with it. */

import { readFileSync } from 'node:fs'
import { modelPath } from '@ao/test-data'

interface Reference {
  readonly prompt_ids: readonly number[]
  /** Prompt and 64 greedy tokens, by configuration. */
  readonly greedy: Readonly<Record<string, readonly number[]>>
  /** Of the validation text, by configuration. */
  readonly perplexity: Readonly<Record<string, number>>
  readonly tokenizer_samples: readonly { text: string; ids: number[]; decoded: string }[]
}

export function readStoriesJson(name: string): object {
  return JSON.parse(readFileSync(modelPath(`stories-4m/${name}`), 'utf8')) as object
}

export const reference: Reference = readStoriesJson('reference.json') as Reference
