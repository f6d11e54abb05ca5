/** @file A trained model against what Hugging Face transformers computed with it. */

import { readFileSync } from 'node:fs'
import { hostFloat32, type FloatDType } from '@ao/base-tensor'
import { modelPath } from '@ao/test-data'
import { sqnr } from '@ao/test-kit'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadTokenizer, perplexity, type Tokenizer } from '@ao/text-generation'
import { LlamaForCausalLM } from '../src/llama-for-causal-lm.ts'
import { folder, reference, referenceLogits } from './stories-4m.ts'

let tokenizer: Tokenizer
const models = {} as Record<FloatDType, LlamaForCausalLM>
beforeAll(async () => {
  tokenizer = await loadTokenizer(folder)
  for (const dtype of ['float32', 'bfloat16', 'float16'] as const) {
    models[dtype] = await LlamaForCausalLM.fromPretrained(folder, { dtype })
  }
})

const promptLogits = (dtype: FloatDType) => hostFloat32(models[dtype].forward(reference.prompt_ids))

describe('logits', () => {
  it('are exact in float32', () => {
    const logits = promptLogits('float32')
    // The last token's first logits in float64 numpy.
    const last = [-5.517424, -1.608204, 3.053346, -0.948501, 0.878088, -5.242989, -3.276438]
    last.forEach((value, id) => expect(logits[13 * 2048 + id]).toBeCloseTo(value, 4))
  })

  // The reference was computed with TF32: the GPU's linear layers round their inputs to 11 significant
  // bits. (Its logits are, to 4e-6, products of the embedding with hidden states of that precision.) It
  // lies 74.0 dB, 0.0007 rms and at most 0.0033 from float64 numpy, and so do we from it; numpy with TF32
  // inputs lies 0.0007 rms from float64, too. What is rounded up and what down hangs on the last bits of
  // sums: noise of 6e-8 moves that model by 0.0006, so only the GPU's own sums would come nearer.
  it('are those of transformers in float32, as far as those are exact', () => {
    const [expected, logits] = [referenceLogits('float32'), promptLogits('float32')]
    expect(sqnr(expected, logits)).toBeGreaterThan(73.5)
    const worst = expected.reduce(
      (max, x, i) => Math.max(max, Math.abs(x - (logits[i] as number))),
      0,
    )
    expect(worst).toBeLessThan(0.004)
  })

  // Measured 47.6 dB; the reference itself is 49.1 dB from float64.
  it('are those of transformers in bfloat16, to 46 dB', () => {
    expect(sqnr(referenceLogits('bfloat16'), promptLogits('bfloat16'))).toBeGreaterThan(46)
  })

  // Measured 66.0 dB.
  it('are close to float32 in float16', () => {
    expect(sqnr(promptLogits('float32'), promptLogits('float16'))).toBeGreaterThan(64)
  })
})

describe('greedy generation', () => {
  const { prompt_ids: prompt, greedy } = reference
  const expected = (greedy['float32'] as readonly number[]).slice(prompt.length)

  it('gives the tokens of transformers', async () => {
    const ids: number[] = []
    for await (const id of models.float32.generate(prompt, { maxNewTokens: 64 })) ids.push(id)
    expect(ids).toEqual(expected)
  })

  it('gives them without a cache too', () => {
    const ids = [...prompt, ...expected]
    const logits = hostFloat32(models.float32.forward(ids.slice(0, -1)))
    const chosen = ids.slice(1).map((_, row) => {
      const values = logits.subarray(row * 2048, (row + 1) * 2048)
      return values.indexOf(Math.max(...values))
    })
    expect(chosen.slice(prompt.length - 1)).toEqual(expected)
  })

  it('streams as text', async () => {
    const stream = tokenizer.stream()
    let text = tokenizer.decode(prompt)
    for await (const id of models.float32.generate(prompt, { maxNewTokens: 12 })) {
      text += stream.push(id)
    }
    expect(text + stream.end()).toBe(tokenizer.decode([...prompt, ...expected.slice(0, 12)]))
  })
})

describe('perplexity', () => {
  it('is right for a story that a larger model wrote', async () => {
    const stories = readFileSync(modelPath('sampled_stories.txt'), 'utf8')
    const [story = ''] = stories.split('<|endoftext|>')
    const result = await perplexity(models.float32, [...tokenizer.encode(story.trim()), 2])
    expect(result).toMatchObject({ tokens: 241 })
    expect(result.perplexity).toBeCloseTo(11.98185, 4) // float64 numpy: 11.981853
  })
})
