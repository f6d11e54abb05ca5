import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { isTensorSubclass, skip, zeros, type Tensor } from '@ao/base-tensor'
import { goldenPath, readRawSafetensors } from '@ao/test-data'
import {
  bytesSource,
  flattenTensorStateDict,
  memoryFolder,
  openCheckpoint,
  openCheckpointFile,
  serializeSafetensors,
  transformCheckpoint,
  writeIndex,
  type Checkpoint,
  type TensorTransform,
  type TransformProgress,
} from '../src/index.ts'
import { directory } from '../src/node.ts'
import {
  bytes,
  bytesOf,
  counting,
  FORMATS,
  handMade,
  Int8Tensor,
  int8Tensor,
  messageOf,
  same,
} from './helpers.ts'

const root = mkdtempSync(join(tmpdir(), 'ao-transform-'))
afterAll(() => rmSync(root, { recursive: true }))
const fresh = (): string => mkdtempSync(join(root, 'case-'))
const formats = FORMATS
const INDEX = 'model.safetensors.index.json'

/** A stand-in for quantization: the int8 data are the low bytes of a bfloat16 weight. */
const quantize: TensorTransform = (name, tensor) => {
  if (!name.endsWith('weight') || tensor.ndim !== 2) return skip('not a matrix')
  const [rows, columns] = tensor.shape as [number, number]
  const { device } = tensor
  const qdata = zeros([rows, columns], 'int8', device)
  if (device.name === 'cpu') {
    const from = bytesOf(tensor)
    bytesOf(qdata).forEach((_, i, to) => (to[i] = from[2 * i] as number))
  }
  return new Int8Tensor({
    qdata,
    scale: zeros([rows, 1], 'float32', device),
    zeroPoint: undefined,
    blockSize: [1, columns],
    dtype: tensor.dtype,
    reduceRange: false,
  })
}

const weights = (layers: number): [string, Tensor][] =>
  Array.from({ length: layers }, (_, i): [string, Tensor][] => [
    [`layers.${i}.weight`, counting([6, 4 + i], 'bfloat16', i)],
    [`layers.${i}.bias`, counting([6], 'bfloat16', 9 * i)],
  ]).flat()

const single = (): Promise<Checkpoint> =>
  openCheckpointFile(
    bytesSource(serializeSafetensors(weights(3), { format: 'pt' }), 'model.safetensors'),
  )

/** A checkpoint of five layers in five shards, the first of which holds two tensors of others. */
async function sharded(folder = memoryFolder()): Promise<Checkpoint> {
  for (let i = 0; i < 5; i++) {
    const file = serializeSafetensors(weights(5).slice(2 * i, 2 * i + 2), { format: 'pt' })
    const sink = await folder.create(`model-0000${i + 1}-of-00005.safetensors`, file.length)
    await sink.write(0, file)
    await sink.commit()
  }
  await writeIndex(folder)
  return openCheckpoint(folder)
}

const contents = (folder: string): Map<string, Buffer> =>
  new Map(
    readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name))]),
  )

describe('one file', () => {
  it('becomes one file, equal to that of a model in memory', async () => {
    const checkpoint = await single()
    const out = fresh()
    const progress: TransformProgress[] = []
    const report = await transformCheckpoint(checkpoint, directory(out), quantize, {
      metadata: { made: 'here' },
      onProgress: (step) => progress.push(step),
    })

    const stateDict = []
    for await (const [name, tensor] of checkpoint.entries()) {
      const result = await quantize(name, tensor)
      stateDict.push([name, 'skipped' in result ? tensor : result] as const)
    }
    const { tensors, metadata } = flattenTensorStateDict(stateDict)
    const whole = serializeSafetensors(
      tensors,
      new Map([...metadata, ['format', 'pt'], ['made', 'here']]),
    )
    expect(readdirSync(out)).toEqual(['model.safetensors'])
    expect(same(readFileSync(join(out, 'model.safetensors')), whole)).toBe(true)

    const raw = readRawSafetensors(join(out, 'model.safetensors'))
    expect(raw.metadata).toMatchObject({ format: 'pt', made: 'here' })
    expect(raw.tensors.get('layers.1._weight_qdata')).toMatchObject({ dtype: 'I8', shape: [6, 5] })
    expect(report).toEqual({
      fileNames: ['model.safetensors'],
      transformed: checkpoint.names.filter((name) => name.endsWith('weight')),
      kept: checkpoint.names
        .filter((name) => name.endsWith('bias'))
        .map((name) => ({ name, reason: 'not a matrix' })),
      bytes: whole.length,
    })
    expect(progress.map(({ done, total, name }) => [done, total, name])).toEqual(
      checkpoint.names.map((name, i) => [i + 1, 6, name]),
    )
    expect(progress.at(-1)).toMatchObject({ bytes: whole.length, totalBytes: whole.length })
  })

  it('runs the transform on shapes alone before it reads, and not at all on data that stays', async () => {
    const calls: string[] = []
    await transformCheckpoint(await single(), memoryFolder(), (name, tensor) => {
      calls.push(`${tensor.device.name} ${name}`)
      return quantize(name, tensor)
    })
    const { names } = await single()
    const changed = names.filter((name) => name.endsWith('weight'))
    expect(calls).toEqual([...names.map((n) => `meta ${n}`), ...changed.map((n) => `cpu ${n}`)])
  })

  it('stays as it is, byte for byte, when nothing changes', async () => {
    const path = goldenPath('checkpoints/mixed')
    for (const transform of [(_: string, t: Tensor) => t, () => skip('no')] as TensorTransform[]) {
      const checkpoint = await openCheckpoint(directory(path))
      const out = memoryFolder()
      await transformCheckpoint(checkpoint, out, transform, { formats })
      const copied = await openCheckpoint(out)
      expect(copied.metadata).toEqual(
        new Map([...checkpoint.metadata].sort(([a], [b]) => (a < b ? -1 : 1))),
      )
      for (const name of checkpoint.names) {
        expect(copied.info(name)).toEqual(checkpoint.info(name))
        const read = (from: Checkpoint) => from.read(name, { formats }).then(bytesOf)
        expect(same(await read(copied), await read(checkpoint))).toBe(true)
      }
      await checkpoint.close()
    }
  })

  it('gets no torchao metadata when nothing needs it', async () => {
    const out = memoryFolder()
    await transformCheckpoint(await single(), out, () => skip('no'))
    const written = await openCheckpoint(out)
    expect(Object.fromEntries(written.metadata)).toEqual({ format: 'pt' })
  })

  it('keeps unknown attributes, and brings keys of early versions up to date', async () => {
    const { tensors, metadata } = flattenTensorStateDict([
      ['x.weight', int8Tensor(2, 4)],
      ['x.bias', bytes(1)],
    ])
    const newer = (metadata.get('x.weight') as string).replace(
      '{"act_quant',
      '{"later": 1, "act_quant',
    )
    const early = new Map(
      [...tensors].map(([key, tensor]) => [
        key === 'x.bias' ? 'x.bias:_data' : key.replace('x._weight_', 'x.weight:'),
        tensor,
      ]),
    )
    for (const description of [newer, newer.replace(/, "_tensor_data_names".*/, '}')]) {
      const file = serializeSafetensors(early, new Map(metadata).set('x.weight', description))
      const out = memoryFolder()
      const checkpoint = await openCheckpointFile(bytesSource(file))
      await transformCheckpoint(checkpoint, out, (_, tensor) => tensor, { formats })
      const written = await openCheckpoint(out)
      expect(written.info('x.weight').attributes).toMatchObject({ later: 1, block_size: [1, 4] })
      expect(
        written
          .info('x.weight')
          .parts.map(({ key }) => key)
          .sort(),
      ).toEqual([...tensors.keys()].filter((key) => key !== 'x.bias').sort())
      expect(written.metadata.get('x.weight')).toContain('"_tensor_data_names": [')
      expect(written.report).toEqual([])
    }
  })

  it('copies tensors of dtypes that there are no tensors for', async () => {
    const header = '{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}'
    const data = Uint8Array.from({ length: 16 }, (_, i) => i)
    const out = memoryFolder()
    const checkpoint = await openCheckpointFile(
      bytesSource(handMade(header, data), 'x.safetensors'),
    )
    const report = await transformCheckpoint(checkpoint, out, () => {
      throw new Error('not called')
    })
    expect(report.kept).toEqual([{ name: 'a', reason: 'no transform takes a tensor of F64' }])
    const source = await out.open('x.safetensors')
    const written = await openCheckpointFile(source as NonNullable<typeof source>)
    expect(await written.files.get('x.safetensors')?.readBytes('a')).toEqual(data)
  })

  it('can take quantized tensors apart', async () => {
    const { tensors, metadata } = flattenTensorStateDict([['x.weight', int8Tensor(2, 4)]])
    const out = memoryFolder()
    const checkpoint = await openCheckpointFile(
      bytesSource(serializeSafetensors(tensors, metadata)),
    )
    await transformCheckpoint(
      checkpoint,
      out,
      (_, tensor) =>
        isTensorSubclass(tensor) ? zeros(tensor.shape, tensor.dtype, tensor.device) : tensor,
      { formats },
    )
    const written = await openCheckpoint(out)
    expect(written.info('x.weight')).toMatchObject({
      format: 'Tensor',
      dtype: 'bfloat16',
      shape: [2, 4],
    })
  })
})

describe('shards', () => {
  it('become shards of the same names, with an index', async () => {
    const checkpoint = await sharded()
    const out = fresh()
    await transformCheckpoint(checkpoint, directory(out), quantize)
    expect(readdirSync(out).sort()).toEqual([...checkpoint.files.keys(), INDEX])
    const written = await openCheckpoint(directory(out))
    expect(written.names).toEqual(checkpoint.names)
    expect(written.report).toEqual([])
    for (const file of written.files.values()) {
      expect(file.metadata).toEqual(written.metadata)
    }
    await written.close()
  })

  it.each([1, 2, 3, 5, 7])('made in %i parts have the bytes of one run', async (count) => {
    const whole = fresh()
    await transformCheckpoint(await sharded(), directory(whole), quantize)
    const parts = fresh()
    for (let index = count; index >= 1; index--) {
      const report = await transformCheckpoint(await sharded(), directory(parts), quantize, {
        shard: { index, count },
      })
      expect(report.fileNames.length).toBe(Math.floor((5 - index + count) / count))
      expect(readdirSync(parts)).not.toContain(INDEX)
    }
    await writeIndex(directory(parts))
    expect(contents(parts)).toEqual(contents(whole))
  })

  it('cannot be joined while one is missing, or of other options', async () => {
    const out = fresh()
    const part = async (index: number, transform: TensorTransform): Promise<unknown> =>
      transformCheckpoint(await sharded(), directory(out), transform, {
        shard: { index, count: 2 },
      })
    await part(1, quantize)
    expect(await messageOf(() => writeIndex(directory(out)))).toContain(
      'the shard model-00002-of-00005.safetensors in',
    )
    await part(2, () => skip('another option'))
    expect(await messageOf(() => writeIndex(directory(out)))).toMatch(
      /the shards in .* to hold all tensors that they describe, got this: "layers.1.weight" lacks|stored as its metadata says/,
    )
  })

  it('are refused where a single file would hide them', async () => {
    const out = memoryFolder(new Map([['model.safetensors', new Uint8Array(1)]]), 'out')
    expect(await messageOf(async () => transformCheckpoint(await sharded(), out, quantize))).toBe(
      '[@ao/safetensors] Expected no model.safetensors in out, where shards will be written, got one. Readers would open it instead of the shards: remove it, or choose another folder.',
    )
  })

  it.each([
    [0, 2],
    [3, 2],
    [1.5, 2],
    [1, 0],
  ])('%d of %d is refused', async (index, count) => {
    expect(
      await messageOf(async () =>
        transformCheckpoint(await sharded(), memoryFolder(), quantize, { shard: { index, count } }),
      ),
    ).toBe(
      `[@ao/safetensors] Expected shard.index from 1 to shard.count, got ${index} of ${count}.`,
    )
  })

  it('can be written over the checkpoint that they are made from', async () => {
    const here = fresh()
    const elsewhere = fresh()
    const checkpoint = await sharded(directory(here))
    await transformCheckpoint(await sharded(), directory(elsewhere), quantize)
    await transformCheckpoint(checkpoint, directory(here), quantize)
    await checkpoint.close()
    expect(contents(here)).toEqual(contents(elsewhere))
  })
})

describe('a run that does not end', () => {
  const failing = (when: (name: string, tensor: Tensor) => void): TensorTransform => {
    return (name, tensor) => {
      when(name, tensor)
      return quantize(name, tensor)
    }
  }

  it.each<[string, (stop: AbortController) => TensorTransform]>([
    [
      'stopped while planning',
      (stop) => failing((name) => name === 'layers.1.weight' && stop.abort()),
    ],
    [
      'stopped by the last tensor',
      (stop) =>
        failing((name, t) => name === 'layers.4.weight' && t.device.name === 'cpu' && stop.abort()),
    ],
    [
      'failed',
      () =>
        failing((name, tensor) => {
          if (name === 'layers.3.weight' && tensor.device.name === 'cpu') throw new Error('broken')
        }),
    ],
  ])('%s: leaves the folder as it was', async (_, transform) => {
    const out = fresh()
    await transformCheckpoint(await sharded(), directory(out), () => skip('old'))
    writeFileSync(join(out, 'notes.txt'), 'kept')
    const before = contents(out)
    const stop = new AbortController()
    const message = await messageOf(async () =>
      transformCheckpoint(await sharded(), directory(out), transform(stop), {
        signal: stop.signal,
      }),
    )
    expect(message).toBe(stop.signal.aborted ? 'This operation was aborted' : 'broken')
    expect(contents(out)).toEqual(before)
  })

  it('does not begin when it is stopped before', async () => {
    const reason = new Error('not now')
    const run = transformCheckpoint(await single(), memoryFolder(), quantize, {
      signal: AbortSignal.abort(reason),
    })
    await expect(run).rejects.toBe(reason)
  })

  it('refuses a transform whose layout depends on the numbers', async () => {
    const cases: [TensorTransform, string][] = [
      [
        (_, t) => (t.device.name === 'cpu' ? skip('zeros') : counting(t.shape as number[])),
        'got zeros.',
      ],
      [(_, t) => zeros([t.device.name === 'cpu' ? 1 : 2]), '"shape":[1]}]]], and not ['],
    ]
    for (const [transform, got] of cases) {
      const message = await messageOf(async () =>
        transformCheckpoint(await single(), memoryFolder(), transform),
      )
      expect(message).toContain(
        'Expected the transform to make of "layers.0.bias" what it made of its shape alone, got ',
      )
      expect(message).toContain(got)
      expect(message).toContain('It must not depend on the numbers')
    }
  })
})
