import { describe, expect, it } from 'vitest'
import { sharedPath } from '@ao/test-data'
import {
  bytesSource,
  memoryFolder,
  openCheckpoint,
  openCheckpointFile,
  serializeSafetensors,
  writeIndex,
} from '../src/index.ts'
import { directory } from '../src/node.ts'
import { flattenTensorStateDict } from '../src/index.ts'
import { bytes, bytesOf, FORMATS, int8Tensor, messageOf } from './helpers.ts'

const text = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const A = 'model-00001-of-00002.safetensors'
const B = 'model-00002-of-00002.safetensors'
const shardA = serializeSafetensors(
  [
    ['a', bytes(1)],
    ['b', bytes(2)],
  ],
  { format: 'pt' },
)
const shardB = serializeSafetensors([['c', bytes(3)]], { format: 'pt' })
const weightMap = { a: A, b: A, c: B }
const INDEX = 'model.safetensors.index.json'
const folderOf = (files: Record<string, Uint8Array>) =>
  memoryFolder(new Map(Object.entries(files)), 'm')
const openIndex = (
  index: unknown,
  files: Record<string, Uint8Array> = { [A]: shardA, [B]: shardB },
) => openCheckpoint(folderOf({ ...files, [INDEX]: text(index) }))

describe('openCheckpoint', () => {
  it('opens shards by their index', async () => {
    const checkpoint = await openIndex({ metadata: { total_size: 3 }, weight_map: weightMap })
    expect(checkpoint.sharded).toBe(true)
    expect(checkpoint.names).toEqual(['a', 'b', 'c'])
    expect([...checkpoint.files.keys()]).toEqual([A, B])
    expect(Object.fromEntries(checkpoint.metadata)).toEqual({ format: 'pt' })
    expect(bytesOf(await checkpoint.read('c'))).toEqual(Uint8Array.of(3))
    expect(checkpoint.has('c') && !checkpoint.has('d')).toBe(true)
    expect(checkpoint.info('c')).toMatchObject({ format: 'Tensor', shape: [1], dtype: 'uint8' })
    expect(checkpoint.info('c').parts[0]?.fileName).toBe(B)
    await checkpoint.close()
  })

  it('prefers a single file, and needs one or the other', async () => {
    const files = { 'model.safetensors': shardB, [A]: shardA, [INDEX]: text('nonsense') }
    const checkpoint = await openCheckpoint(folderOf(files))
    expect([checkpoint.sharded, checkpoint.names]).toEqual([false, ['c']])
    expect(await messageOf(() => openCheckpoint(folderOf({ 'a.safetensors': shardA })))).toBe(
      `[@ao/safetensors] Expected model.safetensors or ${INDEX} in m, got neither. Open a file of another name with openCheckpointFile.`,
    )
  })

  it('takes the plain name of a file or URL', async () => {
    for (const [name, expected] of [
      ['/x/y/tiny.safetensors', 'tiny.safetensors'],
      ['C:\\x\\tiny.safetensors', 'tiny.safetensors'],
      ['https://h/x/tiny.safetensors?download=true#top', 'tiny.safetensors'],
      ['blob', 'model.safetensors'],
    ] as const) {
      const checkpoint = await openCheckpointFile(bytesSource(shardA, name))
      expect([...checkpoint.files.keys()]).toEqual([expected])
    }
  })

  const INDEX_DAMAGED = 'The index is damaged: write or download it again.'
  it.each<[string, unknown, string]>([
    ['no JSON', '{', `${INDEX} in m to be valid JSON, got `],
    ['a list', [], `weight_map of ${INDEX} in m to be an object, got nothing. ${INDEX_DAMAGED}`],
    [
      'no weight_map',
      {},
      `weight_map of ${INDEX} in m to be an object, got nothing. ${INDEX_DAMAGED}`,
    ],
    [
      'an empty one',
      { weight_map: {} },
      `weight_map of ${INDEX} in m to name tensors, got none. ${INDEX_DAMAGED}`,
    ],
    [
      'numbers',
      { weight_map: { a: 1 } },
      `the shard of "a" in ${INDEX} in m, got 1. ${INDEX_DAMAGED}`,
    ],
    [
      'a tensor twice',
      `{"weight_map":{"a":"x","a":"y"}}`,
      `${INDEX} in m to name each key once, got "a" twice.`,
    ],
    [
      'a missing shard',
      { weight_map: { a: 'none.safetensors' } },
      'the shard none.safetensors in m, got no such file. Download or write the missing shard.',
    ],
    [
      'a path',
      { weight_map: { a: '../secret' } },
      `a plain file name in ${INDEX} in m, got "../secret". Names with a path in them are refused: an index must not point out of its folder.`,
    ],
    [
      'an absolute path',
      { weight_map: { a: '/etc/passwd' } },
      'got "/etc/passwd". Names with a path',
    ],
    [
      'a path of Windows',
      { weight_map: { a: '..\\secret' } },
      'got "..\\\\secret". Names with a path',
    ],
    [
      'a tensor that is not there',
      { weight_map: { ...weightMap, d: B } },
      `"d" in ${B}, where ${INDEX} has it, got no such tensor there. Index and shards are of different checkpoints, or a shard is an older one.`,
    ],
    [
      'a tensor of another shard',
      { weight_map: { ...weightMap, a: B } },
      `"a" in ${B}, where ${INDEX} has it, got no such tensor there.`,
    ],
    ['a shard that is no safetensors file', { weight_map: { a: INDEX } }, 'to have a header of'],
  ])('refuses an index with %s', async (_, index, expected) => {
    expect(await messageOf(() => openIndex(index))).toContain(expected)
  })

  it('refuses a tensor in two shards', async () => {
    const both = serializeSafetensors([
      ['a', bytes(1)],
      ['c', bytes(3)],
    ])
    expect(
      await messageOf(() => openIndex({ weight_map: weightMap }, { [A]: shardA, [B]: both })),
    ).toBe(
      `[@ao/safetensors] Expected each tensor in one shard, got "a" in ${A} and in ${B}. Shards of different checkpoints may be mixed up: write them again.`,
    )
  })

  it('reports tensors that the index leaves out, and metadata that differs', async () => {
    const other = serializeSafetensors([['c', bytes(3)]], { format: 'np' })
    const checkpoint = await openIndex({ weight_map: { a: A, c: B } }, { [A]: shardA, [B]: other })
    expect(checkpoint.names).toEqual(['a', 'b', 'c'])
    expect(checkpoint.report).toEqual([
      {
        kind: 'metadata-conflict',
        name: 'format',
        message: `Metadata "format" is "pt", but "np" in ${B}.`,
      },
      { kind: 'unindexed', name: 'b', message: `"b" is in ${A}, but not in ${INDEX}.` },
    ])
  })

  it('closes what it opened when it fails', async () => {
    let open = 0
    const folder = folderOf({ [A]: shardA, [B]: shardA, [INDEX]: text({ weight_map: weightMap }) })
    const watched = {
      ...folder,
      open: async (name: string) => {
        const source = await folder.open(name)
        if (source) open++
        return source && { ...source, close: async () => void open-- }
      },
    }
    expect(await messageOf(() => openCheckpoint(watched))).toContain('each tensor in one shard')
    expect(open).toBe(0)
  })
})

describe('torchao metadata in shards', () => {
  const { tensors, metadata } = flattenTensorStateDict([
    ['x.weight', int8Tensor(2, 4, 3)],
    ['x.bias', bytes(9)],
  ])
  const pick = (file: 'qdata' | 'rest') =>
    [...tensors].filter(([key]) => key.endsWith('qdata') === (file === 'qdata'))
  const index = {
    weight_map: {
      'x._weight_qdata': A,
      'x._weight_scale': B,
      'x._weight_zero_point': B,
      'x.bias': B,
    },
  }

  it('joins parts of one tensor from several shards', async () => {
    const files = {
      [A]: serializeSafetensors(pick('qdata'), metadata),
      [B]: serializeSafetensors(pick('rest'), metadata),
    }
    const checkpoint = await openIndex(index, files)
    expect(checkpoint.names).toEqual(['x.weight', 'x.bias'])
    expect(bytesOf(await checkpoint.read('x.weight', { formats: FORMATS }))).toEqual(
      bytesOf(int8Tensor(2, 4, 3)),
    )
    expect(checkpoint.report).toEqual([])
  })

  it('joins lists of names of shards that each list their own', async () => {
    const own = (name: string) =>
      new Map([
        [name, metadata.get(name) as string],
        ['tensor_names', JSON.stringify([name])],
      ])
    const checkpoint = await openIndex(index, {
      [A]: serializeSafetensors(pick('qdata'), own('x.weight')),
      [B]: serializeSafetensors(pick('rest'), own('x.bias')),
    })
    expect(checkpoint.names).toEqual(['x.weight', 'x.bias'])
    expect(checkpoint.metadata.get('tensor_names')).toBe('["x.weight", "x.bias"]')
    expect(checkpoint.report).toEqual([])
  })

  it('refuses shards that describe one tensor differently', async () => {
    const other = new Map(metadata).set('x.weight', '{"_type": "Tensor"}')
    const files = {
      [A]: serializeSafetensors(pick('qdata'), metadata),
      [B]: serializeSafetensors(pick('rest'), other),
    }
    expect(await messageOf(() => openIndex(index, files))).toBe(
      `[@ao/safetensors] Expected one description of "x.weight" in all shards, got another one in ${B}. Shards of different checkpoints are mixed up: write them again.`,
    )
  })
})

describe('writeIndex', () => {
  it('writes what the transformers library would', async () => {
    const folder = folderOf({ [B]: shardB, [A]: shardA, 'config.json': text({}) })
    expect(await writeIndex(folder)).toEqual([A, B])
    expect(await folder.readText(INDEX)).toBe(
      `{\n  "metadata": {\n    "total_size": 3\n  },\n  "weight_map": {\n    "a": "${A}",\n    "b": "${A}",\n    "c": "${B}"\n  }\n}\n`,
    )
    expect((await openCheckpoint(folder)).names).toEqual(['a', 'b', 'c'])
  })

  it('takes any names that are expected', async () => {
    const folder = folderOf({ x: shardB, y: shardA })
    await writeIndex(folder, { expected: ['x', 'y'] })
    expect((await openCheckpoint(folder)).names).toEqual(['c', 'a', 'b'])
  })

  const missing = 'the shard model-00002-of-00002.safetensors in m, got no such file.'
  it.each<[string, Record<string, Uint8Array>, readonly string[] | undefined, string]>([
    ['a missing shard', { [A]: shardA }, undefined, missing],
    ['a missing shard that is expected', { [A]: shardA }, [A, B], missing],
    [
      'no shards',
      { x: shardA },
      undefined,
      'one set of shards named like model-00001-of-00004.safetensors in m, got none. Give their names as `expected`.',
    ],
    [
      'two sets',
      { [A]: shardA, 'model-00001-of-00003.safetensors': shardB },
      undefined,
      'in m, got 2. Give',
    ],
    ['one tensor in two', { [A]: shardA, [B]: shardA }, undefined, 'each tensor in one shard, got'],
    [
      'a shard that is damaged',
      { [A]: shardA, [B]: shardB.slice(0, -1) },
      undefined,
      `to end within 0 bytes of data, got 1.`,
    ],
  ])('refuses %s', async (_, files, expected, message) => {
    const folder = folderOf(files)
    expect(await messageOf(() => writeIndex(folder, expected ? { expected } : {}))).toContain(
      message,
    )
    expect(await folder.open(INDEX)).toBeUndefined()
  })

  it('refuses shards that together lack a tensor', async () => {
    const { tensors, metadata } = flattenTensorStateDict([['x.weight', int8Tensor(2, 4)]])
    const some = [...tensors].slice(0, 2)
    const folder = folderOf({
      'm-00001-of-00001.safetensors': serializeSafetensors(some, metadata),
    })
    expect(await messageOf(() => writeIndex(folder))).toBe(
      '[@ao/safetensors] Expected the shards in m to hold all tensors that they describe, got this: "x.weight" lacks zero_point. Make all shards from one checkpoint with the same options.',
    )
  })
})

const stories = sharedPath('models/stories-27m')
describe.runIf(stories)('a model in five shards', () => {
  it('opens, and its index is written again', async () => {
    const folder = directory(stories as string)
    const checkpoint = await openCheckpoint(folder)
    expect(checkpoint.files.size).toBe(5)
    expect(checkpoint.report).toEqual([])
    expect(checkpoint.info('model.embed_tokens.weight')).toMatchObject({
      dtype: 'bfloat16',
      shape: [2048, 512],
    })
    const memory = memoryFolder()
    await writeIndex(
      { ...folder, list: memory.list, create: memory.create },
      { expected: [...checkpoint.files.keys()] },
    )
    const theirs = JSON.parse((await folder.readText(INDEX)) as string)
    const ours = JSON.parse((await memory.readText(INDEX)) as string)
    expect(ours.weight_map).toEqual(theirs.weight_map)
    expect(ours.metadata.total_size).toBe(theirs.metadata.total_size)
    await checkpoint.close()
  })
})
