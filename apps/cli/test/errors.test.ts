import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSafetensors } from '@ao/safetensors'
import { fileSource } from '@ao/safetensors/node'
import { goldenPath, modelPath, readRawSafetensors } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { main } from '../src/cli.ts'
import { reportError } from '../src/errors.ts'
import { FORMATS } from '../src/formats.ts'
import { bfloat16, MODEL, writeRaw } from './checkpoints.ts'
import { ao, temporaryFolder } from './run-cli.ts'

/** The message of a command that must fail with `code`, without `error: `. */
async function failure(code: number, ...argv: string[]): Promise<string> {
  const result = await ao(argv)
  expect(result.stdout).toBe('')
  expect(result.code).toBe(code)
  return result.stderr.trimEnd().replace(/^error: /, '')
}

describe('the command line', () => {
  it('explains itself: every command has examples', async () => {
    for (const command of ['quantize', 'merge', 'inspect', 'generate', 'eval', 'compare']) {
      const { code, stdout, stderr } = await ao([command, '--help'])
      expect(code).toBe(0)
      expect(stderr).toBe('')
      expect(stdout).toMatch(new RegExp(`^Usage: ao ${command} .*Examples:\n  ao `, 's'))
    }
    expect((await ao(['--help'])).stdout).toContain('130  interrupted')
    expect((await ao(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('ends with 2 where it makes no sense', async () => {
    expect(await failure(2, 'quantise')).toContain('(Did you mean quantize?)')
    expect(await failure(2, 'quantize', MODEL)).toContain("required option '--config <name|file>'")
    expect(await failure(2, 'quantize', MODEL, '--config', 'int8')).toBe(
      '[@ao/cli] Expected --out <dir>, got none. Add it, or --dry-run to write nothing.',
    )
    expect(await failure(2, 'generate', MODEL, '--prompt', 'x', '--top-p', '1.5')).toContain(
      'Expected a number from 0 to 1.',
    )
    expect(await failure(2, 'eval', MODEL, '--text', 'x', '--window', '0')).toContain(
      'Expected an integer from 1 on.',
    )
  })

  it('tells unforeseen errors from its own', () => {
    let text = ''
    const stderr = { write: (part: string) => (text += part) }
    const code = reportError(new Error('odd'), stderr, { verbose: false, aborted: false })
    expect(code).toBe(1)
    expect(text).toBe(
      'error: odd\nThis is not an error that ao foresaw. Run again with --verbose for its origin.\n',
    )
  })

  it('shows where an error comes from with --verbose', async () => {
    const plain = await ao(['inspect', 'nowhere'])
    expect(plain.stderr.split('\n')).toHaveLength(2)
    const verbose = await ao(['inspect', 'nowhere', '--verbose'])
    expect(verbose.stderr).toContain('model-source.ts')
  })
})

describe('--config', () => {
  const quantize = (...more: string[]): string[] => ['quantize', MODEL, '--dry-run', ...more]

  it('lists the names it knows, and guesses', async () => {
    expect(await failure(2, ...quantize('--config', 'int8dynamic'))).toBe(
      '[@ao/cli] Expected the name of a config, or a .json file, got int8dynamic. ' +
        'Did you mean int8-dynamic? Known: int8, int8-weight-only, int8-dynamic, int8-dynamic-asym, ' +
        'int4, int4-weight-only, float8, float8-weight-only, float8-dynamic, float8-dynamic-int4, ' +
        'intx, intx-weight-only, 8da4w, int8-dynamic-intx, uintx, uintx-weight-only.',
    )
  })

  it('refuses granularities that nothing has', async () => {
    expect(await failure(2, ...quantize('--config', 'int8', '--granularity', 'group'))).toBe(
      '[@ao/cli] Expected --granularity row, tensor or group:<n>, got group. For groups of 32 write group:32.',
    )
    const file = goldenPath('checkpoints/int8wo/config.json')
    expect(await failure(2, ...quantize('--config', file, '--granularity', 'row'))).toContain(
      'Write it into the file.',
    )
  })

  it('refuses options that none of the configs takes', async () => {
    expect(await failure(2, ...quantize('--config', 'int8', '--group-size', '32'))).toBe(
      '[@ao/cli] Expected a --config that takes --group-size, got int8. Leave it out.',
    )
  })

  it('refuses values that do not go together', async () => {
    expect(await failure(2, ...quantize('--config', 'int4', '--group-size', '48'))).toBe(
      '[@ao/cli] Expected --config int4 with a group size of 32, 64, 128, 256, got 48. ' +
        'Its --help says which values go together.',
    )
    expect(await failure(2, ...quantize('--config', 'int4', '--algorithm', 'hqq'))).toContain(
      '--config int4 with an algorithm that Int4Tensor takes: TINYGEMM, got HQQ.',
    )
  })

  it('refuses more tokens than the model has positions', async () => {
    const generate = (...more: string[]): string[] => ['generate', MODEL, '--prompt', ...more]
    expect(await failure(2, ...generate('Once', '--max-tokens', '511'))).toBe(
      '[@ao/cli] Expected --max-tokens of at most 510: the model has 512 positions, the prompt takes 2, ' +
        'got 511. Ask for fewer, or shorten the prompt.',
    )
    expect(await failure(2, ...generate('Once '.repeat(600)))).toMatch(
      /Expected --prompt of at most 511 tokens: the model has 512 positions, got one of \d+\. Shorten it\.$/,
    )
    const window = ['--text', modelPath('sampled_stories.txt'), '--window', '513']
    expect(await failure(2, 'eval', MODEL, ...window)).toBe(
      "[@ao/cli] Expected --window of at most 512, the model's max_position_embeddings, got 513. " +
        'Make it smaller.',
    )
  })

  it('names a file that is missing, no JSON, or has another config', async () => {
    const folder = temporaryFolder()
    const missing = join(folder, 'missing.json')
    expect(await failure(1, ...quantize('--config', missing))).toBe(
      `[@ao/cli] Expected a config in ${missing}, got no such file. Check the path.`,
    )
    const path = join(folder, 'config.json')
    writeFileSync(path, '{')
    expect(await failure(1, ...quantize('--config', path))).toContain(
      `[@ao/cli] Expected a config in ${path}, got no JSON: `,
    )
    writeFileSync(path, '{"_type": "GemliteUIntXWeightOnlyConfig", "_version": 1, "_data": {}}')
    const message = await failure(1, ...quantize('--config', path))
    expect(message).toContain(path)
    expect(message).toContain('GemliteUIntXWeightOnlyConfig')
  })
})

describe('input', () => {
  const out = (): string => join(temporaryFolder(), 'out')

  it('that is not there', async () => {
    expect(await failure(1, 'quantize', 'nowhere', '--config', 'int8', '--out', out())).toBe(
      '[@ao/cli] Expected a folder with a model, a .safetensors, .bin, .pt or .pth file or an http(s) URL, ' +
        'got nowhere, which does not exist. ' +
        'Check the path; names of models on a hub must be downloaded or given as a URL.',
    )
    const empty = temporaryFolder()
    expect(await failure(1, 'inspect', empty)).toBe(
      '[@ao/safetensors] Expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or ' +
        `pytorch_model.bin.index.json in ${empty}, got none. ` +
        'Pass the path of a file that has another name.',
    )
  })

  it('with NaN: file, tensor, place and cure', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'model.safetensors')
    writeRaw(path, [['mlp.up_proj.weight', bfloat16([4, 8], (i) => (i === 13 ? 0x7fc0 : 0x3f80))]])
    const target = join(folder, 'out')
    expect(await failure(1, 'quantize', path, '--config', 'int8', '--out', target)).toBe(
      '[@ao/cli] Expected mlp.up_proj.weight in model.safetensors to be fit for Int8WeightOnlyConfig, ' +
        'got 1 that is NaN or infinite, the first at [1, 5] (expected finite numbers in mlp.up_proj.weight). ' +
        'Leave it out with --exclude mlp.up_proj, or choose another config.',
    )
    expect(readdirSync(folder)).toEqual(['model.safetensors'])
  })

  it('with NaN, quantized after loading', async () => {
    const folder = join(temporaryFolder(), 'model')
    cpSync(MODEL, folder, { recursive: true })
    const path = join(folder, 'model.safetensors')
    const file = await openSafetensors(await fileSource(path))
    const { offset = 0 } = file.tensors.get('model.layers.0.mlp.up_proj.weight') ?? {}
    await file.close()
    chmodSync(path, 0o600)
    const bytes = readFileSync(path)
    bytes.set([0xc0, 0x7f], offset)
    writeFileSync(path, bytes)
    const message = await failure(1, 'generate', folder, '--prompt', 'x', '--config', 'int8')
    expect(message).toBe(
      '[@ao/quantize] Expected finite numbers in model.layers.0.mlp.up_proj.weight, ' +
        'got 1 that is NaN or infinite, the first at [0, 0]. ' +
        'Repair the checkpoint, or give this weight null in an FqnToConfig file.',
    )
  })

  it('whose width no group size divides', async () => {
    const args = ['--config', 'int8', '--granularity', 'group:48', '--dry-run']
    const message = await failure(2, 'quantize', MODEL, ...args)
    expect(message).toContain(
      '[@ao/cli] Expected model.layers.0.mlp.gate_proj.weight in model.safetensors ' +
        'to be fit for Int8WeightOnlyConfig, got 48 (expected ',
    )
    expect(message).toMatch(/group size to divide .*256/)
    expect(message).toContain('Leave it out with --exclude model.layers.0.mlp.gate_proj, or choose')
    const story = ['--prompt', 'x', '--config', 'int8', '--granularity', 'group:48']
    expect(await failure(2, 'generate', MODEL, ...story)).toMatch(
      /Choose another config, or give this weight null in an FqnToConfig file\.$/,
    )
  })

  it('with a pattern that matches nothing', async () => {
    const args = ['quantize', MODEL, '--config', 'int8', '--dry-run']
    expect(await failure(2, ...args, '--exclude', 'down_proj')).toBe(
      '[@ao/cli] Expected --exclude to match a module of the checkpoint, got down_proj. ' +
        'Names are as in ao inspect, without .weight; ' +
        'patterns begin with re: and match whole names.',
    )
    expect(await failure(2, ...args, '--include', 'model.norm')).toContain(
      'Expected a weight to quantize, got none: it is not in --include; it is a norm',
    )
  })

  it('that is quantized already', async () => {
    const target = out()
    await ao(['quantize', MODEL, '--config', 'int8', '--out', target])
    expect(await failure(1, 'quantize', target, '--config', 'int8', '--out', out())).toBe(
      '[@ao/cli] Expected a model that is not quantized yet, ' +
        `got one that is quantized by torchao (quantization_config in config.json) in ${target}. Quantize the model that it was made of.`,
    )
  })

  it('of a class that ao does not know', async () => {
    // A class that nobody has, in a file that is otherwise torchao's.
    const { tensors, metadata } = readRawSafetensors(
      goldenPath('checkpoints/float8dyn/model.safetensors'),
    )
    const named = Object.entries(metadata).map(([name, text]) => [
      name,
      text.replace('"_type": "Float8Tensor"', '"_type": "ForeignTensor"'),
    ])
    const path = join(temporaryFolder(), 'model.safetensors')
    writeRaw(path, tensors, Object.fromEntries(named))
    expect(await failure(1, 'compare', path, path)).toBe(
      '[@ao/cli] Expected up.weight in model.safetensors to be of a class that ao knows, ' +
        `got ForeignTensor. It knows ${FORMATS.map(({ formatName }) => formatName).join(', ')}; ao inspect lists others, too.`,
    )
    expect(await failure(1, 'quantize', path, '--config', 'int8', '--dry-run')).toContain(
      'got one that is quantized by torchao (up.weight of class ForeignTensor)',
    )
    const { stdout } = await ao(['inspect', path])
    expect(stdout).toMatch(/^up\.weight +ForeignTensor +\[256, 128\] +row +33792 +8\.25$/m)
    expect(stdout).toMatch(/^all +7 +74304 +76\.7 kB +8\.25$/m)
  })

  it('without the files that a model has', async () => {
    const path = goldenPath('checkpoints/int8wo/model.safetensors')
    expect(await failure(1, 'generate', path, '--prompt', 'x')).toContain(
      'Pass the folder that model.safetensors is in.',
    )
    expect(await failure(1, 'eval', goldenPath('checkpoints'), '--text', path)).toContain(
      'tokenizer.json',
    )
    expect(await failure(1, 'eval', MODEL, '--text', 'nowhere.txt')).toBe(
      '[@ao/cli] Expected a text in nowhere.txt, got no such file. Check the path.',
    )
  })
})

it('main ends no process and leaves no handlers', async () => {
  const before = process.listenerCount('SIGINT')
  const silent = { write: () => undefined }
  const io = { stdout: silent, stderr: silent, signal: new AbortController().signal }
  expect(await main(['--version'], io)).toBe(0)
  expect(process.listenerCount('SIGINT')).toBe(before)
})
