import { describe, expect, it } from 'vitest'
import type { DenseTensor } from '@ao/base-tensor'
import {
  bytesSource,
  flattenTensorStateDict,
  openCheckpointFile,
  serializeSafetensors,
} from '../src/index.ts'
import { bytes, FORMATS, int8Tensor, messageOf, withEntry } from './helpers.ts'

const formats = FORMATS
const open = (tensors: ReadonlyMap<string, DenseTensor>, metadata: ReadonlyMap<string, string>) =>
  openCheckpointFile(bytesSource(serializeSafetensors(tensors, metadata), 'x.safetensors'))

describe('a checkpoint with less or more than torchao writes', () => {
  const { tensors, metadata } = flattenTensorStateDict([
    ['m.weight', int8Tensor(2, 4)],
    ['m.bias', bytes(5, 6)],
  ])

  it('reports what is missing, and refuses to read it', async () => {
    const some = new Map([...tensors].filter(([key]) => key !== 'm._weight_scale'))
    const checkpoint = await open(some, metadata)
    expect(checkpoint.report).toEqual([
      { kind: 'incomplete', name: 'm.weight', message: '"m.weight" lacks scale.' },
    ])
    expect(checkpoint.info('m.weight')).toMatchObject({ format: 'Int8Tensor', missing: ['scale'] })
    expect(await messageOf(() => checkpoint.read('m.weight', { formats }))).toBe(
      '[@ao/safetensors] Expected all parts of "m.weight", got none for scale. A shard may be missing, or be of another checkpoint.',
    )
    expect((await checkpoint.read('m.bias')).shape).toEqual([2])
  })

  it('reads tensors that no metadata describes as plain ones, and says so', async () => {
    const checkpoint = await open(new Map(tensors).set('extra', bytes(1)), metadata)
    expect(checkpoint.names).toEqual(['m.weight', 'm.bias', 'extra'])
    expect(checkpoint.report).toEqual([
      {
        kind: 'undescribed',
        name: 'extra',
        message: '"extra" is not in the metadata: taken as plain.',
      },
    ])
    expect((await checkpoint.read('extra')).shape).toEqual([1])
  })

  it('reports unknown attributes once', async () => {
    const newer = withEntry(metadata, 'm.weight', (json) => ({
      ...json,
      _data: { ...json._data, x: 1 },
    }))
    const checkpoint = await open(tensors, newer)
    await checkpoint.read('m.weight', { formats })
    await checkpoint.plan('m.weight', { formats })
    expect(checkpoint.report).toEqual([
      {
        kind: 'unknown-attribute',
        name: 'm.weight',
        message: '"m.weight" has the attribute "x", which Int8Tensor does not know.',
      },
    ])
  })

  it('lists a file whose classes are not known', async () => {
    const checkpoint = await open(tensors, metadata)
    expect(checkpoint.info('m.weight')).toMatchObject({
      format: 'Int8Tensor',
      attributes: { block_size: [1, 4] },
      parts: [
        {
          part: 'zero_point',
          key: 'm._weight_zero_point',
          fileName: 'x.safetensors',
          dtype: 'I8',
          nbytes: 2,
        },
        { part: 'qdata', shape: [2, 4] },
        { part: 'scale', dtype: 'F32' },
      ],
    })
    expect(checkpoint.info('m.bias')).toMatchObject({
      format: 'Tensor',
      shape: [2],
      dtype: 'uint8',
    })
    expect(await messageOf(() => checkpoint.read('m.weight'))).toContain(
      'the class of "m.weight" among `formats` (none), got "Int8Tensor".',
    )
    expect(await messageOf(() => checkpoint.read('m'))).toContain(
      `Expected one of the checkpoint's 2 tensors, got "m".`,
    )
  })

  it('refuses a plain tensor under the name of a quantized one', async () => {
    expect(
      await messageOf(() => open(new Map(tensors).set('m.weight', bytes(1)), metadata)),
    ).toContain(
      'Expected "m.weight" to be stored as its metadata says, got a plain tensor of that name.',
    )
  })
})
