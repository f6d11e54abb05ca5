/** @file Streams a story to the terminal. */

import { LlamaForCausalLM, loadTokenizer } from '@ao/llama'
import { directory } from '@ao/safetensors/node'
import { FORMATS } from './configs.ts'

/** Continues `prompt` by the model in `folder`. The seed makes it the same story each time. */
export async function tellStory(folder: string, prompt: string): Promise<void> {
  const model = await LlamaForCausalLM.fromPretrained(directory(folder), { formats: FORMATS })
  const tokenizer = await loadTokenizer(directory(folder))
  const stream = tokenizer.stream()
  process.stdout.write(prompt)
  const options = { maxNewTokens: 220, temperature: 0.5, topK: 40, seed: 2 }
  for await (const token of model.generate(tokenizer.encode(prompt), options)) {
    process.stdout.write(stream.push(token))
  }
  process.stdout.write(`${stream.end()}\n`)
}
