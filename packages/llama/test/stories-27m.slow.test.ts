/** @file A larger trained model, in five shards, against transformers. It is not part of the project. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { directory } from '@ao/safetensors/node'
import { sharedPath } from '@ao/test-data'
import { expect, it } from 'vitest'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'

const path = sharedPath('models/stories-27m')

it.skipIf(path === undefined)(
  'generates the tokens of transformers from shards (skipped: needs ../shared/models/stories-27m)',
  async () => {
    const { prompt_ids: prompt, greedy } = JSON.parse(
      readFileSync(join(path as string, 'reference.json'), 'utf8'),
    ) as {
      prompt_ids: readonly number[]
      greedy: Record<'float32' | 'bfloat16', readonly number[]>
    }
    const model = await LlamaForCausalLM.fromPretrained(directory(path as string))
    const ids = [...prompt]
    for await (const id of model.generate(prompt, { maxNewTokens: 64 })) ids.push(id)
    expect(ids).toEqual(greedy.float32)
  },
)
