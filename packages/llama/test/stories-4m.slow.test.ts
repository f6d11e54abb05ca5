/** @file The perplexity of a trained model on all of a text, against what transformers computed. */

import { readFileSync } from 'node:fs'
import { sharedPath } from '@ao/test-data'
import { loadTokenizer, perplexity } from '@ao/text-generation'
import { expect, it } from 'vitest'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { folder, reference } from './stories-4m.ts'

const path = sharedPath('models/valid.txt')

it.skipIf(path === undefined)(
  'is that of transformers for 8,601 tokens (skipped: needs ../shared/models/valid.txt)',
  async () => {
    // Python reads \r\n as \n.
    const text = readFileSync(path as string, 'utf8')
      .replaceAll('\r\n', '\n')
      .trim()
    const ids = [...(await loadTokenizer(folder)).encode(text), 2]
    expect(ids).toHaveLength(8601)
    const result = await perplexity(await LlamaForCausalLM.fromPretrained(folder), ids)
    const expected = reference.perplexity['float32'] as number
    expect(Math.abs(result.perplexity - expected)).toBeLessThan(0.005)
  },
)
