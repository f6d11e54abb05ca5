/**
 * @file The main job, on a model of 3.7 million parameters that comes with the project: quantize it by
 * several configs, save each in torchao's checkpoint layout, load it back, show what was gained (bytes,
 * tokens/s) and lost (perplexity, SQNR), and let it tell a story.
 */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadTokenizer } from '@ao/llama'
import { directory } from '@ao/safetensors/node'
import Table from 'cli-table3'
import { CONFIGS } from './configs.ts'
import { measure, type Measurement } from './measure.ts'
import { quantizeFolder } from './quantize-folder.ts'
import { tellStory } from './tell-story.ts'

const models = fileURLToPath(new URL('../../../tooling/models/', import.meta.url))
const source = join(models, 'stories-4m')
const PERPLEXITY_TOKENS = 1536
const PROMPT = 'Once upon a time, there was a little girl named Lily.'

const start = performance.now()
const scratch = await mkdtemp(join(tmpdir(), 'ao-demo-'))
try {
  const tokenizer = await loadTokenizer(directory(source))
  const stories = await readFile(join(models, 'sampled_stories.txt'), 'utf8')
  const ids = tokenizer.encode(stories.replaceAll('<|endoftext|>', ' ').slice(0, 20_000))
  const text = ids.slice(0, PERPLEXITY_TOKENS + 1)

  console.log('ao: quantize a language model, save it as torchao does, load it back, measure it.\n')
  const original = await measure('as it is', source, source, text)
  const rows = [original]
  console.log(`  ${original.config}: loaded and measured`)
  for (const { name, config } of CONFIGS) {
    const folder = join(scratch, name)
    const quantized = await quantizeFolder(source, folder, config)
    rows.push(await measure(name, folder, source, text))
    console.log(`  ${name}: ${quantized} weights quantized, saved, loaded back and measured`)
  }
  console.log(`\n${table(rows)}`)
  console.log(
    `bytes: all weights as saved; perplexity: of ${PERPLEXITY_TOKENS} tokens of stories, computed in float32;\n` +
      'tokens/s: one after the other, on one core, in plain TypeScript; SQNR: of the layer that lost most.\n',
  )

  const [first] = CONFIGS
  console.log(`A story by ${first.name}:\n`)
  await tellStory(join(scratch, first.name), PROMPT)
  console.log(`\nDone in ${((performance.now() - start) / 1000).toFixed(1)} s.`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}

function table(rows: readonly Measurement[]): string {
  const [original] = rows as [Measurement]
  const grid = new Table({
    head: ['config', 'bytes', 'ratio', 'perplexity', 'tokens/s', 'worst SQNR'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const row of rows) {
    grid.push([
      row.config,
      row.bytes.toLocaleString('en'),
      `${(original.bytes / row.bytes).toFixed(2)}x`,
      row.perplexity.toFixed(3),
      row.tokensPerSecond.toFixed(0),
      row.worst ? `${row.worst.sqnr.toFixed(1)} dB ${row.worst.layer}` : '',
    ])
  }
  return grid.toString()
}
