/** @file One folder, and several runs, parts or readers. */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LlamaForCausalLM } from '@ao/llama'
import { blobFolder, openCheckpoint, urlFolder } from '@ao/safetensors'
import { directory, stageFiles } from '@ao/safetensors/node'
import { describe, expect, it } from 'vitest'
import { openOutputFolder } from '../src/quantize/output-folder.ts'
import { bfloat16, MODEL, shardModel, writeRaw } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const REFUSED = 'got one that mixes older and newer files. Its writer was stopped'

describe('a folder whose files were being put in place', () => {
  it('is refused by every reader, with what to do', async () => {
    const out = join(temporaryFolder(), 'out')
    await aoJson(['quantize', MODEL, '--config', 'int8', '--out', out])
    const interrupted = join(temporaryFolder(), 'interrupted')
    cpSync(out, interrupted, { recursive: true })
    writeFileSync(
      join(interrupted, 'model.safetensors'),
      '{"ao_unfinished":{"staging":".ao-partial-gone"},"message":""}\n',
    )
    const files = readdirSync(interrupted, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => new File([readFileSync(join(interrupted, name))], name))
    const fetch: typeof globalThis.fetch = async (url) => {
      const file = files.find(({ name }) => String(url).endsWith(`/${name}`))
      return file ? new Response(file) : new Response('', { status: 404 })
    }
    const options = { fetch, withoutRanges: 'download' as const }
    for (const folder of [
      directory(interrupted),
      blobFolder(files),
      urlFolder('http://localhost/model', options),
    ]) {
      await expect(openCheckpoint(folder)).rejects.toThrow(REFUSED)
      await expect(LlamaForCausalLM.fromPretrained(folder)).rejects.toThrow(REFUSED)
    }
    for (const argv of [
      ['inspect', interrupted],
      ['inspect', join(interrupted, 'model.safetensors')],
      ['generate', interrupted, '--prompt', 'x'],
      ['eval', interrupted, '--text', join(MODEL, 'config.json')],
      ['compare', MODEL, interrupted],
      ['quantize', interrupted, '--config', 'int8', '--dry-run'],
    ]) {
      const { code, stderr } = await ao(argv)
      expect(code, argv[0]).toBe(1)
      expect(stderr).toContain(REFUSED)
    }
  })
})

describe('two runs into one folder', () => {
  it('do not meet: the second is refused, and the first one is not disturbed', async () => {
    const out = join(temporaryFolder(), 'out')
    const args = ['quantize', MODEL, '--config', 'int8', '--out', out]
    const staged = await stageFiles(out)
    const second = await ao(args)
    expect(second.code).toBe(1)
    expect(second.stderr).toBe(
      `error: [@ao/safetensors] Expected ${out} to be written by one run at a time, ` +
        `got another one, process ${process.pid}. Wait for its end, or choose another folder.\n`,
    )
    const sink = await staged.create('a', 1)
    await sink.write(0, Uint8Array.of(1))
    await sink.commit()
    await staged.commit()
    expect(readdirSync(out)).toEqual(['a'])
    expect((await ao([...args, '--force'])).code).toBe(0)
  })

  it('may be parts that come into place at once', async () => {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 2)
    const plan = openOutputFolder.bind(undefined, join(folder, 'out'))
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const begin = async (index: number): Promise<() => Promise<unknown>> => {
      const part = { index, count: 2 }
      const output = await plan({ force: false, input: model, run: { ao: '1' }, part })
      const own = shards.slice(index - 1, index)
      const sink = await output.staged.create(own[0] as string, 1)
      await sink.commit()
      return () => output.commit(shards, own)
    }
    const commits = [await begin(1), await begin(2)]
    await Promise.all(commits.map((commit) => commit()))
    expect(readdirSync(join(folder, 'out')).sort()).toEqual([
      ...['ao-quantize-00001-of-00002.json', 'ao-quantize-00002-of-00002.json'],
      ...['ao-quantize.json', ...shards],
    ])
  })

  it('may be two parts of one checkpoint, but not one part twice', async () => {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 4)
    const args = ['quantize', model, '--config', 'int8', '--out', join(folder, 'out'), '--shard']
    const results = await Promise.all(['1/2', '2/2'].map((part) => ao([...args, part])))
    expect(results.map(({ stderr }) => stderr)).toEqual(['', ''])
    expect((await ao(['merge', join(folder, 'out')])).code).toBe(0)

    const shared = join(folder, 'shared')
    const part = (group: string, member: string): ReturnType<typeof stageFiles> =>
      stageFiles(shared, { sharing: { group, member } })
    const first = await part('a', '1')
    const second = await part('a', '2')
    for (const other of [() => part('a', '1'), () => part('b', '3'), () => stageFiles(shared)]) {
      await expect(other()).rejects.toThrow('to be written by one run at a time')
    }
    await second.discard()
    await first.discard()
    expect(readdirSync(folder)).not.toContain('shared')
  })
})

describe('merge', () => {
  /** Both parts of a model in one folder, the second one made of another model or with other options. */
  async function mixed(second: readonly string[], negated = false): Promise<string> {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 4)
    const other = shardModel(join(folder, 'other'), 4)
    if (negated) {
      for (const name of readdirSync(other).filter((each) => each.endsWith('.safetensors'))) {
        const bytes = readFileSync(join(other, name))
        const start = 8 + Number(bytes.readBigUInt64LE(0))
        for (let at = start + 1; at < bytes.length; at += 2) bytes[at] = (bytes[at] ?? 0) ^ 0x80
        writeFileSync(join(other, name), bytes)
      }
    }
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    await aoJson(['quantize', model, '--config', 'int8', '--out', one, '--shard', '1/2'])
    await aoJson(['quantize', other, '--out', two, ...second])
    cpSync(one, two, { recursive: true })
    return two
  }

  it.each([
    ['inputs', ['--config', 'int8', '--shard', '2/2'], true],
    ['options', ['--config', 'int8-dynamic', '--shard', '2/2'], false],
  ] as const)('refuses parts of different %s', async (what, second, negated) => {
    const out = await mixed(second, negated)
    const { code, stderr } = await ao(['merge', out])
    expect(code).toBe(1)
    expect(stderr).toContain(`got different ${what} in ao-quantize`)
    expect(readdirSync(out)).not.toContain('model.safetensors.index.json')
  })

  it('refuses parts of another version, that overlap, or whose record is gone', async () => {
    const out = await mixed(['--config', 'int8', '--shard', '2/2'])
    const record = join(out, 'ao-quantize-00002-of-00002.json')
    const text = readFileSync(record, 'utf8')
    writeFileSync(record, text.replace(/"ao": "[^"]*"/, '"ao": "9.9.9"'))
    expect((await ao(['merge', out])).stderr).toContain('different versions of ao')
    writeFileSync(record, text.replace('model-00002', 'model-00001'))
    expect((await ao(['merge', out])).stderr).toContain('each shard in')
    cpSync(record, join(out, 'ao-quantize-00002-of-00003.json'))
    expect((await ao(['merge', out])).code).toBe(1)
    rmSync(join(out, 'ao-quantize-00002-of-00003.json'))
    rmSync(record)
    expect((await ao(['merge', out])).stderr).toContain('Copy it along, or make it again.')
    writeFileSync(record, text)
    expect((await ao(['merge', out])).code).toBe(0)
    const again = await ao(['merge', out])
    expect(again.stdout).toBe(`${out} is complete: nothing to merge\n`)
  })

  it('refuses shards of which nothing says how they were made, such as one of 0', async () => {
    const folder = temporaryFolder()
    const weight = bfloat16([4, 8], (i) => 0x3f80 + i)
    writeRaw(join(folder, 'model-00001-of-00000.safetensors'), [['up_proj.weight', weight]])
    expect((await ao(['merge', folder])).stderr).toContain('nothing says how they were made')
    expect(readdirSync(folder)).toEqual(['model-00001-of-00000.safetensors'])
  })
})

describe('what lies beside the weights', () => {
  it('is copied, but for other weights and folders, which are named', async () => {
    const folder = temporaryFolder()
    const model = join(folder, 'model')
    cpSync(MODEL, model, { recursive: true })
    const copied = ['LICENSE', 'README.md', 'vocab.txt', 'processor_config.json', 'modeling_x.py']
    const kept = ['pytorch_model.bin', 'model.gguf', 'flax_model.msgpack.index.json', 'x.onnx_data']
    for (const name of [...copied, ...kept]) writeFileSync(join(model, name), name)
    mkdirSync(join(model, 'onnx'))
    const out = join(model, 'int8')
    const report = await aoJson(['quantize', model, '--config', 'int8', '--out', out])
    expect(readdirSync(out)).toEqual(expect.arrayContaining(copied))
    for (const name of copied) expect(readFileSync(join(out, name), 'utf8')).toBe(name)
    expect(report.notCopied.map(({ name }: any) => name).sort()).toEqual(
      [...kept, 'int8', 'onnx', 'reference_logits.safetensors'].sort(),
    )
    expect(readdirSync(out).filter((name) => kept.includes(name))).toEqual([])
  })

  it('and of an earlier result goes away with it, which is said', async () => {
    const folder = temporaryFolder()
    const model = join(folder, 'model')
    cpSync(MODEL, model, { recursive: true })
    writeFileSync(join(model, 'chat_template.jinja'), 'old')
    const out = join(folder, 'out')
    const first = await aoJson(['quantize', model, '--config', 'int8', '--out', out])
    expect(first.replaced).toBe(null)
    writeFileSync(join(out, 'notes.txt'), 'mine')
    const { stdout } = await ao(['quantize', MODEL, '--config', 'int8-dynamic', '--out', out])
    expect(stdout).toContain(
      '\nreplaced an earlier result (Int8WeightOnlyConfig); removed chat_template.jinja\n',
    )
    expect(readdirSync(out)).not.toContain('chat_template.jinja')
    expect(readdirSync(out)).toContain('notes.txt')
  })
})
