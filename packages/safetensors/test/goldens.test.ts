import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  isTensorSubclass,
  zeros,
  type DenseTensor,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { goldenPath, loadSpecGolden, readRawSafetensors } from '@ao/test-data'
import {
  flattenTensorStateDict,
  isMetadataTorchao,
  openCheckpoint,
  openSafetensors,
  serializeSafetensors,
  unflattenTensorStateDict,
} from '../src/index.ts'
import { directory, fileSource } from '../src/node.ts'
import {
  bytesOf,
  Float8Tensor,
  FORMATS,
  Int4Tensor,
  Int8Tensor,
  IntxUnpackedToInt8Tensor,
  same,
  splitFile,
} from './helpers.ts'

const configs = readdirSync(goldenPath('checkpoints'))
const files = configs.flatMap((config) =>
  ['model', 'original', 'io'].map((file) => `checkpoints/${config}/${file}.safetensors`),
)

describe.each(files)('%s', (path) => {
  it('reads as the independent reader reads it', async () => {
    const file = await openSafetensors(await fileSource(goldenPath(path)))
    const raw = readRawSafetensors(goldenPath(path))
    expect(Object.fromEntries(file.metadata)).toEqual(raw.metadata)
    expect([...file.tensors.keys()].sort()).toEqual([...raw.tensors.keys()].sort())
    for (const [name, { dtype, shape, bytes }] of raw.tensors) {
      expect(file.tensors.get(name)).toMatchObject({ dtype, shape, nbytes: bytes.length })
      expect(same(bytesOf(await file.read(name)), bytes)).toBe(true)
      expect(same(await file.readBytes(name), bytes)).toBe(true)
    }
    await file.close()
  })

  it('is written again with the same bytes', async () => {
    const file = await openSafetensors(await fileSource(goldenPath(path)))
    const entries: [string, DenseTensor][] = []
    for (const name of file.tensors.keys()) entries.unshift([name, await file.read(name)])
    const ours = splitFile(serializeSafetensors(entries, file.metadata))
    const theirs = splitFile(readFileSync(goldenPath(path)))
    expect(same(ours.data, theirs.data)).toBe(true)
    // The order of metadata is the one thing that the reference writer leaves open.
    const tensors = (header: string) =>
      JSON.stringify({ ...JSON.parse(header), __metadata__: undefined })
    expect(tensors(ours.header)).toBe(tensors(theirs.header))
    expect(ours.header.length).toBe(theirs.header.length)
    await file.close()
  })
})

describe.each(configs)('the checkpoint %s', (config) => {
  it('goes through tensor subclasses and back without a change', async () => {
    const path = `checkpoints/${config}`
    const checkpoint = await openCheckpoint(directory(goldenPath(path)))
    const raw = readRawSafetensors(goldenPath(`${path}/model.safetensors`))
    expect(checkpoint.names).toEqual(JSON.parse(raw.metadata['tensor_names'] as string))
    expect(checkpoint.report).toEqual([])

    const stateDict = []
    for await (const entry of checkpoint.entries({ formats: FORMATS })) stateDict.push(entry)
    const flattened = flattenTensorStateDict(stateDict)
    expect(Object.fromEntries(flattened.metadata)).toEqual(raw.metadata)
    const ours = splitFile(serializeSafetensors(flattened.tensors, flattened.metadata))
    const theirs = splitFile(readFileSync(goldenPath(`${path}/model.safetensors`)))
    expect(same(ours.data, theirs.data)).toBe(true)

    const again = unflattenTensorStateDict(flattened.tensors, flattened.metadata, {
      formats: FORMATS,
    })
    expect([...again.tensors.keys()]).toEqual(checkpoint.names)
    expect(again.leftover.size).toBe(0)
    for (const [name, tensor] of stateDict) {
      expect(String(again.tensors.get(name))).toBe(String(tensor))
      const info = checkpoint.info(name)
      expect(info.format === 'Tensor').toBe(!isTensorSubclass(tensor))
      const plan = await checkpoint.plan(name, { formats: FORMATS })
      expect(plan.device.name).toBe('meta')
      expect([plan.shape, plan.dtype]).toEqual([tensor.shape, tensor.dtype])
    }
    await checkpoint.close()
  })
})

describe('metadata as torchao writes it', () => {
  const cases = loadSpecGolden('safetensors_meta')
  const make = (golden: Record<string, any>, key: string): DenseTensor => {
    const { dtype, shape } = golden['tensors'][key] as { dtype: StoredDType; shape: number[] }
    return zeros(shape, dtype)
  }
  const quantized: Record<string, readonly [new (fields: any) => Tensor, object]> = {
    Int8WeightOnlyConfig: [Int8Tensor, { reduceRange: false }],
    Int8DynamicActivationInt8WeightConfig: [
      Int8Tensor,
      {
        reduceRange: false,
        actQuantKwargs: {
          granularity: { dim: -1 },
          mappingType: 'SYMMETRIC',
          reduceRange: false,
        },
      },
    ],
    IntxWeightOnlyConfig_int4_g32: [
      IntxUnpackedToInt8Tensor,
      { targetDtype: 'int4', blockSize: [1, 32], activationQuantization: null },
    ],
    Int8DynamicActivationIntxWeightConfig: [
      IntxUnpackedToInt8Tensor,
      { targetDtype: 'int8', blockSize: [1, 32], activationQuantization: 'int8_asym_per_token' },
    ],
    Float8WeightOnlyConfig: [Float8Tensor, { kernelPreference: 'AUTO' }],
    Int4Tensor: [Int4Tensor, { blockSize: [1, 32], shape: [32, 64], activationDtype: 'bfloat16' }],
  }

  it.each(cases.map((golden) => [golden['name'] as string, golden] as const))(
    '%s',
    (name, golden) => {
      const [Format, attributes] = quantized[name] as NonNullable<(typeof quantized)[string]>
      const keys = Object.keys(golden['tensors'])
      const prefix = keys[0]?.replace('qdata', '') as string
      const part = (field: string) =>
        keys.includes(prefix + field) ? make(golden, prefix + field) : undefined
      const tensor = new Format({
        qdata: part('qdata'),
        scale: part('scale'),
        zeroPoint: part('zero_point'),
        actPreScale: part('act_pre_scale'),
        blockSize: [1, 64],
        dtype: 'bfloat16',
        ...attributes,
      })
      const logical = `${prefix.slice(0, -'._weight_'.length)}.weight`
      const entries: [string, Tensor][] = [[logical, tensor]]
      if (keys.includes('0.bias')) entries.push(['0.bias', make(golden, '0.bias')])

      const { tensors, metadata } = flattenTensorStateDict(entries)
      expect(Object.fromEntries(metadata)).toEqual(golden['metadata'])
      expect([...tensors.keys()]).toEqual(keys)
      expect(isMetadataTorchao(metadata)).toBe(true)
    },
  )

  it('covers every golden case', () => {
    expect(cases.map(({ name }) => name).sort()).toEqual(Object.keys(quantized).sort())
  })
})
