import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { goldenPath, readRawSafetensors } from '@ao/test-data'
import type { RawFile } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { bfloat16, digests, MODEL, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

/** Metadata with its JSON parsed; `tensor_names` as a set, as files order tensors differently. */
function parsedMetadata({ metadata }: RawFile): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      key,
      key === 'tensor_names' ? new Set(JSON.parse(value)) : JSON.parse(value),
    ]),
  )
}

const TILE_PACKED = '{"_type": "Int4PackingFormat", "_data": "TILE_PACKED_TO_4D"}'

function readJson(path: string): any {
  return JSON.parse(readFileSync(path, 'utf8'))
}

describe('checkpoints that torchao made', () => {
  it.each([
    'int8wo',
    'int8wo_g32',
    'int8dyn',
    'int8dyn_asym',
    'mixed',
    'int4_plain',
    'tile4d',
    'intx_wo4',
    'int8dyn_int4',
  ])('%s: the same tensors, byte for byte, and the same metadata', async (name) => {
    const folder = goldenPath(`checkpoints/${name}`)
    const out = join(temporaryFolder(), 'out')
    const original = join(folder, 'original.safetensors')
    await aoJson(['quantize', original, '--config', join(folder, 'config.json'), '--out', out])
    const made = readRawSafetensors(join(out, 'model.safetensors'))
    const expected = readRawSafetensors(join(folder, 'model.safetensors'))
    expect(made.tensors).toEqual(expected.tensors)
    expect([...made.tensors.keys()]).toEqual([...expected.tensors.keys()])
    // What the transformers library asks for, on top of what torchao writes.
    const { format, ...metadata } = made.metadata
    expect(format).toBe('pt')
    expect(parsedMetadata({ ...made, metadata })).toEqual(parsedMetadata(expected))
    // torchao keeps an enum that was given as a string; we write the enum.
    const text = readFileSync(join(folder, 'config.json'), 'utf8')
    const config = JSON.parse(text.replace('"tile_packed_to_4d"', TILE_PACKED))
    expect(readJson(join(out, 'ao-quantize.json')).config).toEqual(config)
  })
})

describe('a Hugging Face folder', () => {
  it('becomes one with the keys, dtypes, shapes and metadata that torchao writes', async () => {
    const out = join(temporaryFolder(), 'out')
    await aoJson(['quantize', MODEL, '--config', 'int8', '--out', out])
    const { tensors: before } = readRawSafetensors(join(MODEL, 'model.safetensors'))
    const { tensors, metadata } = readRawSafetensors(join(out, 'model.safetensors'))
    const expected = new Map<string, string>()
    const descriptions: Record<string, string> = { format: 'pt' }
    for (const [name, { dtype, shape }] of before) {
      const [rows, columns] = shape
      if (!name.includes('_proj')) {
        expected.set(name, `${dtype} ${shape.join()}`)
        descriptions[name] = '{"_type": "Tensor"}'
        continue
      }
      const prefix = name.replace(/\.weight$/, '._weight')
      expected.set(`${prefix}_qdata`, `I8 ${rows},${columns}`)
      expected.set(`${prefix}_scale`, `F32 ${rows},1`)
      expected.set(`${prefix}_zero_point`, `I8 ${rows},1`)
      descriptions[name] =
        '{"_type": "Int8Tensor", "_data": {"act_quant_kwargs": null, "reduce_range": false, ' +
        `"block_size": [1, ${columns}], "dtype": {"_type": "torch.dtype", "_data": "bfloat16"}}, ` +
        '"_tensor_data_names": ["zero_point", "qdata", "scale"]}'
    }
    const found = [...tensors].map(([key, { dtype, shape }]) => [key, `${dtype} ${shape.join()}`])
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected))
    const { tensor_names: names, ...others } = metadata
    expect(others).toEqual(descriptions)
    expect(new Set(JSON.parse(names as string))).toEqual(new Set(before.keys()))
  })

  it('keeps config.json to the letter and adds quantization_config as transformers does', async () => {
    const out = join(temporaryFolder(), 'out')
    await aoJson(['quantize', MODEL, '--config', 'int8-dynamic', '--out', out])
    const before = readFileSync(join(MODEL, 'config.json'), 'utf8').trimEnd().slice(0, -1).trimEnd()
    const text = readFileSync(join(out, 'config.json'), 'utf8')
    expect(text.startsWith(`${before},\n  "quantization_config": {`)).toBe(true)
    expect(JSON.parse(text).quantization_config).toEqual({
      quant_method: 'torchao',
      quant_type: { default: readJson(goldenPath('checkpoints/int8dyn/config.json')) },
      modules_to_not_convert: null,
      include_input_output_embeddings: false,
      untie_embedding_weights: false,
    })
    for (const name of ['generation_config.json', 'tokenizer.json', 'tokenizer_config.json']) {
      expect(readFileSync(join(out, name))).toEqual(readFileSync(join(MODEL, name)))
    }
  })

  it('leaves out what --exclude names, and says so in config.json', async () => {
    const out = join(temporaryFolder(), 'out')
    const excluded = ['--exclude', 're:.*down_proj', '--exclude', 'model.layers.0.mlp.up_proj']
    const report = await aoJson(['quantize', MODEL, '--config', 'int8', '--out', out, ...excluded])
    expect(report.quantized).toBe(23)
    expect(report.kept).toContainEqual({
      reason: 'it is in --exclude',
      count: 5,
      bytes: 5 * 2 * 256 * 768,
    })
    const { modules_to_not_convert: modules } = readJson(
      join(out, 'config.json'),
    ).quantization_config
    expect(modules.sort()).toEqual([
      'model.layers.0.mlp.down_proj',
      'model.layers.0.mlp.up_proj',
      ...[1, 2, 3].map((layer) => `model.layers.${layer}.mlp.down_proj`),
    ])
    const { tensors } = readRawSafetensors(join(out, 'model.safetensors'))
    expect(tensors.has('model.layers.2.mlp.down_proj.weight')).toBe(true)
    expect(tensors.has('model.layers.2.mlp.up_proj._weight_qdata')).toBe(true)
  })

  it.each([
    ['plain', 'Int4Tensor', 4.5],
    ['plain_int32', 'Int4PlainInt32Tensor', 4.375],
    ['tile_packed_to_4d', 'Int4TilePackedTo4dTensor', undefined],
    ['preshuffled', 'Int4Tensor', 4.5],
  ])('packs int4 weights as %s', async (format, type, bits) => {
    const out = join(temporaryFolder(), 'out')
    const options = ['--config', 'int4', '--group-size', '64', '--format', format]
    await aoJson(['quantize', MODEL, ...options, '--out', out])
    const { metadata } = readRawSafetensors(join(out, 'model.safetensors'))
    const name = 'model.layers.0.mlp.up_proj.weight'
    expect(JSON.parse(metadata[name] as string)._type).toBe(type)
    const report = await aoJson(['inspect', out])
    const weight = report.tensors.find((tensor: any) => tensor.name === name)
    if (bits !== undefined) expect(weight.bitsPerWeight).toBe(bits)
    const story = ['generate', out, '--prompt', 'Once upon a time', '--max-tokens', '3']
    expect((await aoJson(story)).ids).toHaveLength(3)
  })

  it('takes only what --include names', async () => {
    const args = ['--include', 're:model\\.layers\\.[01]\\.self_attn\\..*', '--dry-run']
    const report = await aoJson(['quantize', MODEL, '--config', 'int8', ...args])
    expect(report.quantized).toBe(8)
  })

  it('casts with --dtype before it quantizes, in weights and config.json', async () => {
    const out = join(temporaryFolder(), 'out')
    await aoJson(['quantize', MODEL, '--config', 'int8', '--dtype', 'float32', '--out', out])
    const { tensors, metadata } = readRawSafetensors(join(out, 'model.safetensors'))
    expect(tensors.get('model.norm.weight')?.dtype).toBe('F32')
    expect(metadata['model.layers.0.self_attn.q_proj.weight']).toContain('"_data": "float32"')
    expect(readJson(join(out, 'config.json')).dtype).toBe('float32')
  })

  it('plans in --dry-run the sizes that come out, and writes nothing', async () => {
    const out = join(temporaryFolder(), 'out')
    const args = ['quantize', MODEL, '--config', 'int8', '--granularity', 'group:64', '--out', out]
    const planned = await aoJson([...args, '--dry-run'])
    expect(existsSync(out)).toBe(false)
    const made = await aoJson(args)
    expect(made.tensors).toEqual(planned.tensors)
    const { tensors } = readRawSafetensors(join(out, 'model.safetensors'))
    const stored = [...tensors.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
    expect(planned.bytesAfter).toBe(stored)
    expect(made.bytesAfter).toBe(stored)
    const { stdout } = await ao([...args, '--dry-run'])
    expect(stdout).toMatch(
      /^model\.norm\.weight +\[256\] +bfloat16 +bfloat16 +512 +512 +family llama +it is a norm$/m,
    )
    expect(stdout).toContain(
      [
        ...['28 tensors quantized', '1 tensor kept, 1.05 MB: it is an embedding'],
        ...['9 tensors kept, 4.61 kB: it is a norm'],
        ...[
          'in all, stays as it is: 1.05 MB of 7.34 MB (14.3 %)',
          'decided by family llama (38)',
          '',
        ],
      ].join('\n'),
    )
  })
})

describe('a tensor whose name has no dot', () => {
  it('is kept, and does not end the run', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'bare.safetensors')
    const weight = bfloat16([4, 8], (i) => 0x3f80 + i)
    writeRaw(path, [
      ['weight', weight],
      ['up_proj.weight', weight],
    ])
    const report = await aoJson(['quantize', path, '--config', 'int8', '--out', join(folder, 'o')])
    expect(report.quantized).toBe(1)
    expect(report.tensors.find(({ name }: any) => name === 'weight').reason).toMatch(/name/)
  })
})

describe('a weight whose numbers a format would lose', () => {
  it('is named, with the option that leaves it out', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'tiny.safetensors')
    writeRaw(path, [
      ['down_proj.weight', bfloat16([4, 8], () => 0x3080)], // 9e-10
      ['up_proj.weight', bfloat16([4, 8], (i) => 0x3f80 + i)],
    ])
    const args = ['quantize', path, '--config', 'int8', '--out', join(folder, 'out')]
    const { code, stderr } = await ao(args)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /Expected down_proj\.weight in .* to be fit for Int8WeightOnlyConfig, got the reason .*below the steps of the format.* Leave it out with --exclude down_proj, /,
    )
    expect((await aoJson([...args, '--exclude', 'down_proj'])).quantized).toBe(1)
  })
})

describe('--lm-head', () => {
  it('quantizes a head of its own, and refuses a tied one', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'untied.safetensors')
    const weight = bfloat16([4, 8], (i) => 0x3f80 + i)
    writeRaw(path, [
      ['lm_head.weight', weight],
      ['up_proj.weight', weight],
    ])
    const args = ['quantize', path, '--config', 'int8', '--dry-run']
    expect((await aoJson(args)).quantized).toBe(1)
    expect((await aoJson([...args, '--lm-head'])).quantized).toBe(2)
    const tied = await ao(['quantize', MODEL, '--config', 'int8', '--dry-run', '--lm-head'])
    expect(tied.code).toBe(2)
    expect(tied.stderr).toBe(
      'error: [@ao/cli] Expected an output head in the checkpoint, for --lm-head, got none. ' +
        'The head is tied to the embedding: leave --lm-head out.\n',
    )
  })
})

describe('the output folder', () => {
  const quantize = (out: string, ...more: string[]): ReturnType<typeof ao> =>
    ao(['quantize', MODEL, '--config', 'int8', '--out', out, ...more])

  it('may be one that an earlier run wrote; weights of that run go away', async () => {
    const out = join(temporaryFolder(), 'out')
    expect((await quantize(out)).code).toBe(0)
    writeFileSync(join(out, 'model-00001-of-00002.safetensors'), '')
    writeFileSync(join(out, 'notes.txt'), 'mine')
    mkdirSync(join(out, '.ao-partial-1'))
    expect((await quantize(out)).code).toBe(0)
    expect(readdirSync(out).sort()).toEqual([
      ...['ao-quantize.json', 'config.json', 'generation_config.json', 'model.safetensors'],
      ...['notes.txt', 'reference.json', 'tokenizer.json', 'tokenizer_config.json'],
    ])
  })

  it('is not one with other files, unless forced', async () => {
    const out = temporaryFolder()
    writeFileSync(join(out, 'thesis.txt'), 'mine')
    const { code, stderr } = await quantize(out)
    expect(code).toBe(1)
    expect(stderr).toBe(
      `error: [@ao/cli] Expected --out to be new, empty or written by ao quantize, got ${out} with thesis.txt. ` +
        'Choose another --out, or pass --force to replace its weights.\n',
    )
    expect(readdirSync(out)).toEqual(['thesis.txt'])
    expect((await quantize(out, '--force')).code).toBe(0)
    expect(readFileSync(join(out, 'thesis.txt'), 'utf8')).toBe('mine')
  })

  it('is never the input, even when forced', async () => {
    const folder = temporaryFolder()
    const input = join(folder, 'model.safetensors')
    writeRaw(input, [['up_proj.weight', bfloat16([4, 8], (i) => 0x3f80 + i)]])
    const before = readFileSync(input)
    const link = join(temporaryFolder(), 'link.safetensors')
    symlinkSync(input, link)
    for (const model of [folder, input, link]) {
      const args = ['quantize', model, '--config', 'int8', '--out', join(folder, '.'), '--force']
      const { code, stderr } = await ao(args)
      expect(code).toBe(1)
      expect(stderr).toContain('Expected --out to be apart from the input')
    }
    expect(readFileSync(input)).toEqual(before)
    expect(readdirSync(folder)).toEqual(['model.safetensors'])
  })

  it('is as it was after an interruption, and is not made for one', async () => {
    const folder = temporaryFolder()
    const out = join(folder, 'out')
    await quantize(out)
    const before = digests(out)
    const abort = new AbortController()
    for (const target of [out, join(folder, 'new')]) {
      const result = await ao(['quantize', MODEL, '--config', 'int8-dynamic', '--out', target], {
        signal: abort.signal,
        isTTY: true,
        // The bar is drawn once a tensor is done.
        onStderr: (text) => text.includes('quantize [') && abort.abort(),
      })
      expect(result.code).toBe(130)
      expect(result.stderr).toMatch(/interrupted\n$/)
    }
    expect(readdirSync(folder)).toEqual(['out'])
    expect(digests(out)).toEqual(before)
  })
})
