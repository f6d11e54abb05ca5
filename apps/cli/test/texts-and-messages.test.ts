import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AoError } from '@ao/base-tensor'
import { modelPath } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { reportError } from '../src/errors.ts'
import { textPieces } from '../src/read-file.ts'
import { MODEL, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

describe('messages', () => {
  const SOURCES = join(import.meta.dirname, '../../../packages')
  // Packages that commands call. A cure for programs names an option in backticks or braces, or a call.
  const REACHED = [
    'safetensors',
    'quantize',
    'llama',
    'int8',
    'int4',
    'int4-tile-packed-to-4d',
    'nn',
  ]
  const FOR_PROGRAMS = /`\w+(?:: '\w+')?`|\{ \w+: |\b[a-z]\w*\(\)/

  it('on the command line speak of its options, never of a field or a function', () => {
    const cures = REACHED.flatMap((name) => {
      const folder = join(SOURCES, name, 'src')
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      return files
        .filter((file) => file.endsWith('.ts') && !file.includes('webgpu'))
        .flatMap((file) => {
          const text = readFileSync(join(folder, file), 'utf8').replaceAll(
            /^\s*(\*|\/\*|\/\/).*$/gm,
            '',
          )
          return [...text.matchAll(/(?:cure:|fail\()[^;]*?((['"])(?:(?!\2).)*[.]\2)/g)]
        })
        .map((match) => String(match[1]).slice(1, -1))
        .filter((cure) => FOR_PROGRAMS.test(cure))
    })
    expect(cures.length).toBeGreaterThan(3)
    // `ao` makes every cache and module itself.
    const unreached = /createCache\(\)|of a module/
    for (const cure of new Set(cures.filter((each) => !unreached.test(each)))) {
      let shown = ''
      const error = new AoError({ package: '@ao/x', expected: 'x', cure })
      reportError(error, { write: (text) => (shown += text) }, { verbose: false, aborted: false })
      expect(shown, cure).not.toMatch(FOR_PROGRAMS)
    }
  })
})

describe('texts', () => {
  const evaluate = (path: string, ...more: string[]): string[] => [
    ...['eval', MODEL, '--text', path, '--max-tokens-total', '40', ...more],
  ]

  it.each([
    [
      'weights',
      readFileSync(join(MODEL, 'model.safetensors')).subarray(0, 200_000),
      'bytes that are no UTF-8',
    ],
    ['Latin-1', Buffer.from('caf\u00e9 '.repeat(20), 'latin1'), 'bytes that are no UTF-8'],
    ['UTF-16', Buffer.from('a story of a dog', 'utf16le'), 'binary data'],
    ['a cut character', Buffer.from('a caf\u00e9').subarray(0, -1), 'bytes that are no UTF-8'],
  ])('are refused where they are none: %s', async (_, bytes, got) => {
    const path = join(temporaryFolder(), 'text.txt')
    writeFileSync(path, bytes)
    const { code, stderr } = await ao(evaluate(path))
    expect(stderr).toContain(`Expected a text in ${path}, got ${got}. Pass a text file`)
    expect(code).toBe(1)
  })

  it('are read no further than needed, and give the tokens of the whole', async () => {
    const story = readFileSync(modelPath('sampled_stories.txt'), 'utf8')
    const folder = temporaryFolder()
    const [short, long] = [join(folder, 'short.txt'), join(folder, 'long.txt')]
    writeFileSync(short, story)
    // Behind the first chunks comes what would be refused if it was read.
    writeFileSync(long, Buffer.concat([Buffer.from(story.repeat(4)), Buffer.from([0, 0xff, 0])]))
    const of = async (path: string): Promise<number> =>
      (await aoJson(evaluate(path))).rows[0].perplexity
    expect(await of(long)).toBe(await of(short))
    const pieces: string[] = []
    for await (const piece of textPieces(long, 'a text')) {
      pieces.push(piece)
      break
    }
    expect(pieces[0]?.length).toBeLessThanOrEqual(1 << 16)
  })

  it('come from standard input for --prompt -', async () => {
    const prompt = ['generate', MODEL, '--max-tokens', '4', '--json', '--prompt']
    const piped = await ao([...prompt, '-'], { stdin: ['Once upon', ' a time\n'] })
    const given = JSON.parse((await ao([...prompt, 'Once upon a time'])).stdout)
    expect(JSON.parse(piped.stdout)).toMatchObject({ prompt: 'Once upon a time', ids: given.ids })
    const nothing = await ao([...prompt, '-'], { stdin: [] })
    expect(nothing).toMatchObject({ code: 2, stdout: '' })
    expect(nothing.stderr).toContain('a prompt on standard input for --prompt -, got none')
  })
})

describe('classes that ao cannot build', () => {
  const bytes = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(size)
  // Parts and attributes as torchao writes them.
  it.each([
    ['blocks times scales', { block_size: [1, 64] }, [4, 64], [4, 1], [4, 64], 8.5],
    ['groups', { block_size: [1, 16] }, [4, 64], [4, 4], [4, 64], 10],
    ['two codes a byte', { block_size: 16 }, [4, 32], [4, 4], [4, 64], 6],
    ['an attribute', { shape: [8, 64], block_size: [1, 64] }, [8, 32], [8, 1], [8, 64], 4.5],
  ])('have a shape and bits: %s', async (_, attributes, codes, scale, shape, bits) => {
    const path = join(temporaryFolder(), 'model.safetensors')
    const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1)
    const part = (dtype: string, size: number, sizes: number[]) =>
      ({ dtype, shape: sizes, bytes: bytes(product(sizes) * size) }) as const
    writeRaw(
      path,
      [
        ['w._weight_qdata', part('U8', 1, codes)],
        ['w._weight_scale', part('F32', 4, scale)],
      ],
      {
        format: 'pt',
        tensor_names: JSON.stringify(['w.weight']),
        'w.weight': JSON.stringify({
          _type: 'SomeOtherTensor',
          _data: attributes,
          _tensor_data_names: ['qdata', 'scale'],
        }),
      },
    )
    const { tensors } = await aoJson(['inspect', path])
    expect(tensors).toHaveLength(1)
    expect(tensors[0]).toMatchObject({ format: 'SomeOtherTensor', shape, bitsPerWeight: bits })
  })
})

it('says in one line which weights padding makes larger', async () => {
  const folder = join(temporaryFolder(), 'narrow')
  mkdirSync(folder)
  const weight = {
    dtype: 'BF16',
    shape: [8, 64],
    bytes: new Uint8Array(8 * 64 * 2).fill(60),
  } as const
  writeRaw(join(folder, 'model.safetensors'), [['a.weight', weight]])
  const config = ['--config', 'int4', '--group-size', '32']
  const run = (format: string): Promise<{ stdout: string }> =>
    ao(['quantize', folder, ...config, '--dry-run', '--format', format])
  expect((await run('tile_packed_to_4d')).stdout).toContain(
    '\n1 tensor larger than before, by padding: a.weight\n',
  )
  expect((await run('plain')).stdout).not.toContain('padding')
})

describe('usage errors end with 2', () => {
  it.each([
    [[]],
    [['nothing']],
    [['quantize']],
    [['quantize', MODEL, '--nope']],
    [['quantize', MODEL, '--config']],
    [['quantize', MODEL, 'other', '--config', 'int8', '--dry-run']],
    [['quantize', MODEL, '--config', 'int9', '--dry-run']],
    [['quantize', MODEL, '--config', 'int4', '--group-size', 'x', '--dry-run']],
    [['quantize', MODEL, '--config', 'int8', '--shard', '3/2', '--out', 'x']],
    [['quantize', MODEL, '--config', 'int4', '--format', 'other', '--dry-run']],
    [['inspect', MODEL, '--tensor', 'nope']],
    [['compare', MODEL]],
    [['generate', MODEL]],
    [['generate', MODEL, '--prompt', 'x', '--device', 'tpu']],
    [['generate', MODEL, '--prompt', 'x', '--temperature', 'warm']],
    [['eval', MODEL]],
    [['eval', MODEL, '--text', 'x', '--dtype', 'int8']],
    [['merge']],
    [['help', 'nothing']],
  ])('ao %j', async (argv) => {
    const { code, stdout, stderr } = await ao(argv)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).not.toBe('')
  })
})
