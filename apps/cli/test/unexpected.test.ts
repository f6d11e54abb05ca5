/** @file What a model's files hold and ao does not know: refused, or said. */

import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { modelPath, readRawSafetensors } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { bfloat16, MODEL, shardModel, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const FEW = ['--text', modelPath('sampled_stories.txt'), '--max-tokens-total', '40']
const PROMPT = ['--prompt', 'Once', '--max-tokens', '4']
const { tensors } = readRawSafetensors(join(MODEL, 'model.safetensors'))
const EMBEDDING = 'model.embed_tokens.weight'

/** A copy of the model. */
function copy(): string {
  const folder = join(temporaryFolder(), 'model')
  cpSync(MODEL, folder, { recursive: true })
  return folder
}

function edit(folder: string, file: string, change: (json: any) => object): void {
  const path = join(folder, file)
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))))
}

const BIAS = 'model.layers.0.self_attn.q_proj.bias'

const FAULTS: readonly [what: string, spoil: (folder: string) => void, message: string][] = [
  [
    'a tensor',
    (folder) => {
      const more = [...tensors, [BIAS, bfloat16([256], () => 0x3f00)] as const]
      writeRaw(join(folder, 'model.safetensors'), more)
    },
    `a parameter of the model for every tensor of model, got none for ${BIAS}. Correct config.json, `,
  ],
  [
    'a field',
    (folder) => edit(folder, 'config.json', (json) => ({ ...json, final_logit_softcapping: 30 })),
    'fields in config.json of model that are known, or that change nothing, ' +
      'got final_logit_softcapping: 30. Correct config.json, ',
  ],
  [
    'a token',
    (folder) =>
      edit(folder, 'tokenizer.json', (json) => ({
        ...json,
        added_tokens: [...json.added_tokens, { id: 2048, content: '<|im_start|>', special: true }],
      })),
    'tokens of tokenizer.json in model with ids below 2048, vocab_size in config.json, ' +
      'got "<|im_start|>" with 2048. Resize the embedding, or remove the token; ',
  ],
]

describe.each(FAULTS)('%s too many', (_, spoil, message) => {
  it('is refused by name, and passed over with --ignore-unexpected', async () => {
    const folder = copy()
    spoil(folder)
    for (const command of [
      ['generate', folder, ...PROMPT],
      ['eval', folder, ...FEW],
    ]) {
      const { code, stdout, stderr } = await ao(command)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr.replaceAll(folder, 'model')).toContain(
        `error: [@ao/text-generation] Expected ${message}`,
      )
      expect(stderr).toContain('--ignore-unexpected')
    }
    const { ids } = await aoJson(['generate', folder, ...PROMPT, '--ignore-unexpected'])
    expect(ids).toEqual((await aoJson(['generate', MODEL, ...PROMPT])).ids)
  })
})

it('says once what is left out, for a model that is loaded twice', async () => {
  const folder = copy()
  writeRaw(join(folder, 'model.safetensors'), [...tensors, [BIAS, bfloat16([256], () => 0)]])
  const args = ['eval', folder, ...FEW, '--config', 'int8', '--ignore-unexpected']
  const { code, stderr } = await ao(args)
  expect(code).toBe(0)
  expect(stderr).toBe(`note: Tensors of ${folder} are not used: ${BIAS}.\n`)
})

it('refuses a tensor that the index leaves out', async () => {
  const folder = shardModel(join(temporaryFolder(), 'model'), 2)
  edit(folder, 'model.safetensors.index.json', (index) => {
    delete index.weight_map['model.norm.weight']
    return index
  })
  const { code, stderr } = await ao(['eval', folder, ...FEW])
  expect(code).toBe(1)
  expect(stderr.replaceAll(folder, 'model')).toContain(
    'model.safetensors.index.json of model to list all that its shards hold, got none of model.norm.weight. ' +
      'Write or download both again, or pass --ignore-unexpected.',
  )
})

it('opens a tied model whose table is lm_head.weight, before and after it is quantized', async () => {
  const folder = copy()
  const renamed = [...tensors].map(
    ([name, tensor]) => [name === EMBEDDING ? 'lm_head.weight' : name, tensor] as const,
  )
  writeRaw(join(folder, 'model.safetensors'), renamed)
  const expected = (await aoJson(['eval', MODEL, ...FEW, '--config', 'int8'])).rows
  const float = (await aoJson(['eval', folder, ...FEW])).rows[0]
  expect(float.perplexity).toBe(expected[0].perplexity)
  const out = join(temporaryFolder(), 'int8')
  await aoJson(['quantize', folder, '--config', 'int8', '--out', out])
  const int8 = (await aoJson(['eval', out, ...FEW])).rows[0]
  expect(Math.abs(int8.perplexity / expected[1].perplexity - 1)).toBeLessThan(0.01)
})

it('says that a prompt has its first token twice', async () => {
  const prompt = ['--prompt', '<s>Once', '--max-tokens', '4']
  const { code, stderr } = await ao(['generate', MODEL, ...prompt])
  expect(code).toBe(0)
  expect(stderr).toContain('note: The prompt begins with <s> twice: leave it out of --prompt.\n')
  expect((await ao(['generate', MODEL, ...PROMPT])).stderr).not.toContain('note:')
})
