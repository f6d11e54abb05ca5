import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { readRawSafetensors } from '@ao/test-data'
import { describe, expect, it } from 'vitest'
import { digests, MODEL, shardModel } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

describe('a sharded checkpoint', () => {
  it('comes out the same in one run and in parts that are merged, in any order', async () => {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 3)
    const args = ['quantize', model, '--config', 'int8', '--exclude', 're:.*k_proj']
    await aoJson([...args, '--out', join(folder, 'whole')])
    for (const part of ['2/2', '1/2']) {
      await aoJson([...args, '--out', join(folder, 'parts'), '--shard', part])
    }
    expect(readdirSync(join(folder, 'parts'))).not.toContain('model.safetensors.index.json')
    const { stdout } = await ao(['merge', join(folder, 'parts')])
    expect(stdout).toBe(
      `wrote model.safetensors.index.json for 3 shards to ${join(folder, 'parts')}\n`,
    )
    expect(digests(join(folder, 'parts'))).toEqual(digests(join(folder, 'whole')))
  })

  it('holds the tensors that the unsharded one gives', async () => {
    const folder = temporaryFolder()
    const sharded = join(folder, 'sharded')
    const single = join(folder, 'single')
    const model = shardModel(join(folder, 'model'), 4)
    await aoJson(['quantize', model, '--config', 'int8', '--out', sharded])
    await aoJson(['quantize', MODEL, '--config', 'int8', '--out', single])
    const { totals } = await aoJson(['compare', single, sharded])
    expect(totals).toMatchObject({ tensors: 38, equal: 38, ratio: 1 })
    // A reader that sees one shard finds all descriptions there, as in files of torchao.
    const shard = readRawSafetensors(join(sharded, 'model-00002-of-00004.safetensors'))
    expect(JSON.parse(shard.metadata['tensor_names'] as string)).toHaveLength(38)
  })
})

describe('parts', () => {
  it('must be made in one way', async () => {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 2)
    const out = join(folder, 'out')
    await aoJson(['quantize', model, '--config', 'int8', '--out', out, '--shard', '1/2'])
    const other = ['quantize', model, '--config', 'int8-dynamic', '--out', out, '--shard', '2/2']
    const { code, stderr } = await ao(other)
    expect(code).toBe(1)
    expect(stderr).toBe(
      `error: [@ao/cli] Expected all parts in ${out} to be made with the same options from the same input, ` +
        'got others than its ao-quantize.json says. ' +
        'Choose another --out, or pass --force and make all parts again.\n',
    )
  })

  it('must all be there to be merged', async () => {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 2)
    const out = join(folder, 'out')
    await aoJson(['quantize', model, '--config', 'int8', '--out', out, '--shard', '2/2'])
    const { code, stderr } = await ao(['merge', out])
    expect(code).toBe(1)
    expect(stderr).toBe(
      `error: [@ao/safetensors] Expected the shard model-00001-of-00002.safetensors in ${out}, ` +
        'got no such file. Download or write the missing shard.\n',
    )
    expect((await ao(['merge', join(folder, 'nothing')])).stderr).toContain(
      'Pass the --out of ao quantize --shard.',
    )
  })

  it('are at most as many as there are files', async () => {
    const args = ['quantize', MODEL, '--config', 'int8', '--out', 'unused', '--shard']
    const { code, stderr } = await ao([...args, '1/2'])
    expect(code).toBe(2)
    expect(stderr).toBe(
      'error: [@ao/cli] Expected a checkpoint of 2 files or more for --shard, got one file. ' +
        'Make fewer parts, or leave --shard out.\n',
    )
    for (const bad of ['0/2', '3/2', '1', 'a/b']) {
      expect((await ao([...args, bad])).stderr).toContain('Expected i/n with i from 1 to n')
    }
  })
})

describe('a damaged shard', () => {
  it('is named, and what is wrong with it', async () => {
    const folder = temporaryFolder()
    const model = shardModel(join(folder, 'model'), 2)
    const shard = join(model, 'model-00002-of-00002.safetensors')
    truncateSync(shard, statSync(shard).size - 100)
    const args = ['quantize', model, '--config', 'int8', '--out', join(folder, 'out')]
    const truncated = await ao(args)
    expect(truncated.code).toBe(1)
    expect(truncated.stderr).toContain(`in ${shard} to end within`)
    expect(truncated.stderr).toContain('The file is cut off: copy or download it again.')
    rmSync(shard)
    expect((await ao(args)).stderr).toBe(
      'error: [@ao/safetensors] Expected the shard model-00002-of-00002.safetensors ' +
        `in ${model}, got no such file. Download or write the missing shard.\n`,
    )
    expect(readdirSync(folder)).toEqual(['model'])
  })
})
