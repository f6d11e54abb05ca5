import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath, orderedDict, readRawSafetensors, torchSave, TorchSaver } from '@ao/test-data'
import type { RawTensor } from '@ao/test-kit'
import { digests, MODEL } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const { tensors } = readRawSafetensors(join(MODEL, 'model.safetensors'))
const saved = ([name, { shape, bytes }]: readonly [string, RawTensor]) =>
  [name, { dtype: 'bfloat16', shape, bytes }] as const
const SIDE = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']

/** stories-4m as PyTorch saves it, in one file or in `count` shards. */
function torchModel(count = 1): string {
  const folder = join(temporaryFolder(), 'model')
  mkdirSync(folder)
  for (const name of SIDE) cpSync(join(MODEL, name), join(folder, name))
  const entries = [...tensors]
  if (count === 1) {
    writeFileSync(join(folder, 'pytorch_model.bin'), torchSave(entries.map(saved)))
    return folder
  }
  const weightMap: Record<string, string> = {}
  for (let shard = 0; shard < count; shard++) {
    const name = `pytorch_model-0000${shard + 1}-of-0000${count}.bin`
    const own = entries.filter((_, i) => Math.floor((i * count) / entries.length) === shard)
    for (const [key] of own) weightMap[key] = name
    writeFileSync(join(folder, name), torchSave(own.map(saved)))
  }
  const index = { metadata: {}, weight_map: weightMap }
  writeFileSync(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify(index))
  return folder
}

describe('a model in a file of PyTorch', () => {
  it('is inspected, compared, quantized and run as its safetensors are', async () => {
    const model = torchModel()
    const inspected = await aoJson(['inspect', model])
    expect(inspected.files).toEqual(['pytorch_model.bin'])
    expect(inspected.totals).toEqual((await aoJson(['inspect', MODEL])).totals)
    const { stdout } = await ao(['compare', model, MODEL])
    expect(stdout).toContain(`${tensors.size} tensors in both, ${tensors.size} equal`)
    const text = ['--prompt', 'Once upon a time', '--max-tokens', '4', '--temperature', '0']
    const generated = await ao(['generate', model, ...text])
    expect([generated.code, generated.stdout]).toEqual([
      0,
      (await ao(['generate', MODEL, ...text])).stdout,
    ])

    const out = join(temporaryFolder(), 'out')
    const quantized = await aoJson(['quantize', model, '--config', 'int8', '--out', out])
    expect(quantized.files).toContain('model.safetensors')
    expect(quantized.tensors).toHaveLength(tensors.size)
    expect(quantized.notCopied).toEqual([])
    const other = join(temporaryFolder(), 'other')
    await aoJson(['quantize', MODEL, '--config', 'int8', '--out', other])
    const weights = (name: string): boolean => name === 'model.safetensors'
    expect(digests(out, weights)).toEqual(digests(other, weights))
  })

  it('is quantized in shards to shards', async () => {
    const model = torchModel(3)
    const out = join(temporaryFolder(), 'out')
    for (const part of ['1/2', '2/2']) {
      await aoJson(['quantize', model, '--config', 'int8', '--out', out, '--shard', part])
    }
    await aoJson(['merge', out])
    const names = readdirSync(out).filter((name) => name.startsWith('model'))
    expect(names).toEqual([
      ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`),
      'model.safetensors.index.json',
    ])
    expect((await aoJson(['inspect', out])).totals.tensors).toBe(tensors.size)
  })
})

describe('ao convert', () => {
  it.each([1, 3])(
    'writes safetensors of %i files, and copies what is beside them',
    async (count) => {
      const model = torchModel(count)
      const out = join(temporaryFolder(), 'out')
      const report = await aoJson(['convert', model, '--out', out])
      expect(report).toMatchObject({
        tensors: tensors.size,
        quantized: 0,
        notCopied: [],
        notes: [],
      })
      for (const name of SIDE)
        expect(readFileSync(join(out, name))).toEqual(readFileSync(join(MODEL, name)))
      const weights = readdirSync(out).filter((name) => name.endsWith('.safetensors'))
      expect(weights).toHaveLength(count)
      const written = new Map(
        weights.flatMap((name) => [...readRawSafetensors(join(out, name)).tensors]),
      )
      expect(written.size).toBe(tensors.size)
      for (const [name, { dtype, shape, bytes }] of tensors) {
        const found = written.get(name) as RawTensor
        expect([found.dtype, found.shape]).toEqual([dtype, shape])
        expect(Buffer.compare(found.bytes, bytes)).toBe(0)
      }
      expect(readRawSafetensors(join(out, weights[0] as string)).metadata).toEqual({ format: 'pt' })
      // An earlier result is replaced; something else is not.
      expect((await aoJson(['convert', model, '--out', out])).replaced).toEqual({
        config: null,
        removed: [],
      })
      const refused = await ao(['convert', model, '--out', MODEL])
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--force')])
    },
  )

  it('writes tensors of classes that ao does not know, with their metadata', async () => {
    const out = join(temporaryFolder(), 'out')
    const source = goldenPath('torch-files/llama-fp8dyn-row')
    const twin = JSON.parse(readFileSync(join(source, 'twin.json'), 'utf8')) as { metadata: object }
    const { code, stdout } = await ao(['convert', source, '--out', out])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^21 tensors as they are, 14 of them quantized; /)
    expect(stdout).toContain(
      'note: Tensors share their data: lm_head.weight and model.embed_tokens.weight.',
    )
    expect(readRawSafetensors(join(out, 'model.safetensors')).metadata).toEqual(twin.metadata)
  })

  it('takes a file by itself, and the state dict that is chosen in it', async () => {
    const path = join(temporaryFolder(), 'last.pt')
    const saver = new TorchSaver()
    const weight = saver.tensor({ dtype: 'float32', shape: [2, 2], bytes: new Uint8Array(16) })
    const dict = orderedDict([['up.weight', weight]])
    writeFileSync(
      path,
      saver.file(
        new Map([
          ['model', dict],
          ['ema', dict],
        ]),
      ),
    )
    const out = join(temporaryFolder(), 'out')
    const { code, stderr } = await ao(['convert', path, '--out', out])
    expect(code).toBe(1)
    expect(stderr).toContain(
      'several: "model", "ema". Choose one: torchFilesWith({ stateDict }), or --state-dict of ao.',
    )
    await aoJson(['convert', path, '--state-dict', 'ema', '--out', out])
    expect([...readRawSafetensors(join(out, 'model.safetensors')).tensors.keys()]).toEqual([
      'up.weight',
    ])
    expect((await aoJson(['inspect', path, '--state-dict', 'ema'])).files).toEqual(['last.pt'])
  })

  it('says that files of another name in a folder must be passed by themselves', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'consolidated.00.pth'), torchSave([]))
    const { code, stderr } = await ao(['inspect', folder])
    expect(code).toBe(1)
    expect(stderr).toContain(
      'consolidated.00.pth: a file of PyTorch under another name than pytorch_model.bin',
    )
    expect(stderr).toContain('Pass the file itself.')
  })
})
