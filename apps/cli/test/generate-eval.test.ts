import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { modelPath } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { MODEL } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const TEXT = modelPath('sampled_stories.txt')
const REFERENCE = JSON.parse(readFileSync(join(MODEL, 'reference.json'), 'utf8'))

describe('generate', () => {
  const prompt = ['--prompt', 'Once upon a time', '--max-tokens', '12']

  it('streams the text to stdout and says how fast it was on stderr', async () => {
    const { code, stdout, stderr } = await ao(['generate', MODEL, ...prompt])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^, there was a little girl named Lily\..*\n$/)
    expect(stderr).toMatch(/^prefill: 5 tokens, [\d.]+\/s; decode: 11 tokens, [\d.]+\/s\n$/)
  })

  it('says the same in JSON, and nothing else', async () => {
    const { stdout } = await ao(['generate', MODEL, ...prompt])
    const json = await aoJson(['generate', MODEL, ...prompt])
    expect(`${json.text}\n`).toBe(stdout)
    expect(json.ids).toHaveLength(12)
    expect(json.promptTokens).toBe(5)
  })

  it('opens a quantized checkpoint and gives what quantizing after loading gives', async () => {
    const out = join(temporaryFolder(), 'out')
    const config = ['--config', 'int8-dynamic']
    await aoJson(['quantize', MODEL, ...config, '--dtype', 'float32', '--out', out])
    const opened = await aoJson(['generate', out, ...prompt])
    const quantized = await aoJson(['generate', MODEL, ...prompt, ...config])
    expect(opened.ids).toEqual(quantized.ids)
  })

  it('fills the positions that are left where it is not told how many tokens to make', async () => {
    const words = 'the dog ran and '.repeat(120)
    const { ids, promptTokens } = await aoJson(['generate', MODEL, '--prompt', words])
    expect(promptTokens).toBeGreaterThan(448)
    expect(promptTokens + ids.length).toBeLessThanOrEqual(512)
  })

  it('samples by seed', async () => {
    const sample = async (...more: string[]): Promise<number[]> =>
      (await aoJson(['generate', MODEL, ...prompt, '--temperature', '1.2', ...more])).ids
    const first = await sample('--seed', '1', '--top-k', '50', '--top-p', '0.95')
    expect(await sample('--seed', '1', '--top-k', '50', '--top-p', '0.95')).toEqual(first)
    expect(await sample('--seed', '2')).not.toEqual(first)
    expect(await sample('--top-k', '1')).toEqual(await sample('--top-p', '0'))
  })

  it.each([
    ['float32', []],
    ['int8_weight_only', ['--config', 'int8']],
  ])('chooses the tokens that transformers and torchao choose: %s', async (name, config) => {
    const { prompt, prompt_ids: promptIds, greedy } = REFERENCE
    const json = await aoJson(['generate', MODEL, '--prompt', prompt, ...config])
    expect([...promptIds, ...json.ids]).toEqual(greedy[name])
  })
})

describe('eval', () => {
  const few = ['--text', TEXT, '--max-tokens-total', '100', '--window', '64']

  it('measures a model as it is', async () => {
    const { rows, window } = await aoJson(['eval', MODEL, ...few])
    expect(window).toBe(64)
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({ config: null, tokens: 100, logitsSqnr: null })
    expect(rows[0].perplexity).toBeGreaterThan(3)
    expect(rows[0].perplexity).toBeLessThan(30)
    expect(rows[0].bytes).toBe(2 * 7_344_640)
  })

  it('has a row for each config, in a table too', async () => {
    const args = ['eval', MODEL, ...few, '--config', 'int8', '--config', 'int8-dynamic']
    const { rows } = await aoJson(args)
    const [float, int8, dynamic] = rows
    expect(rows.map(({ config }: { config: string }) => config)).toEqual([
      ...[null, 'int8', 'int8-dynamic'],
    ])
    for (const row of [int8, dynamic]) {
      expect(Math.abs(row.perplexity / float.perplexity - 1)).toBeLessThan(0.01)
      expect(row.worstWeight.sqnr).toBeGreaterThan(40)
      expect(row.worstWeight.name).toMatch(/down_proj\.weight$/)
    }
    expect(int8.logitsSqnr).toBeGreaterThan(dynamic.logitsSqnr)
    expect(dynamic.logitsSqnr).toBeGreaterThan(30)
    const { stdout } = await ao(args)
    expect(stdout).toMatch(
      /^config +perplexity +tokens +tokens\/s +bytes in memory +logits SQNR +worst weight\n/,
    )
    expect(stdout).toMatch(
      /^int8-dynamic .* dB +42\.\d dB model\.layers\.\d\.mlp\.down_proj\.weight$/m,
    )
  })

  it('gives a quantized checkpoint the perplexity of its config', async () => {
    const out = join(temporaryFolder(), 'out')
    await aoJson(['quantize', MODEL, '--config', 'int8', '--dtype', 'float32', '--out', out])
    const opened = await aoJson(['eval', out, ...few])
    const quantized = await aoJson(['eval', MODEL, ...few, '--config', 'int8'])
    expect(opened.rows[0].perplexity).toBe(quantized.rows[1].perplexity)
    expect(opened.rows[0].bytes).toBe(quantized.rows[1].bytes)
  })

  it('reads line ends of every system alike', async () => {
    const folder = temporaryFolder()
    const rows = []
    for (const [name, end] of [
      ['unix', '\n'],
      ['dos', '\r\n'],
    ] as const) {
      writeFileSync(join(folder, name), ['One day', 'a dog ran.', ''].join(end))
      rows.push((await aoJson(['eval', MODEL, '--text', join(folder, name)])).rows[0])
    }
    const [unix, dos] = rows
    expect(dos).toMatchObject({ tokens: unix.tokens, perplexity: unix.perplexity })
  })

  it('refuses a text of nothing but space', async () => {
    const path = join(temporaryFolder(), 'blank.txt')
    writeFileSync(path, ' \n')
    expect(await ao(['eval', MODEL, '--text', path])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `error: [@ao/cli] Expected a text to predict in ${path}, got white space only.\n`,
    })
  })

  it('stops when it is interrupted', async () => {
    const abort = new AbortController()
    const result = await ao(['eval', MODEL, '--text', TEXT], {
      ...{ signal: abort.signal, isTTY: true },
      onStderr: (text) => text.includes('eval as it is [') && abort.abort(),
    })
    expect(result).toMatchObject({ code: 130, stdout: '' })
  })
})
