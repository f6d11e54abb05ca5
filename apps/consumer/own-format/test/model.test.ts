import { linear, tensor, zeros, type DenseTensor, type Tensor } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { Int8Tensor, Int8WeightOnlyConfig } from '@ao/int8'
import { Linear, ReLU, Sequential } from '@ao/nn'
import { computeError, configFromJson, configToJson, FqnToConfig, quantize_ } from '@ao/quantize'
import { weightTransform } from '@ao/quantize'
import {
  flattenTensorStateDict,
  memoryFolder,
  openCheckpoint,
  serializeSafetensors,
  transformCheckpoint,
} from '@ao/safetensors'
import { normalNumbers, parseRawSafetensors } from '@ao/test-kit'
import { describe, expect, it } from 'vitest'
import { TernaryTensor, TernaryWeightOnlyConfig } from '../src/index.ts'

const random = (rows: number, columns: number, seed = 1): DenseTensor =>
  tensor(normalNumbers(rows * columns, seed), { shape: [rows, columns] })

function newModel(): Sequential {
  return new Sequential(
    new Linear(random(64, 128)),
    new ReLU(),
    new Linear(random(32, 64, 2)),
    new Linear(random(10, 20, 3)),
  )
}

const config = new FqnToConfig({
  '0': new TernaryWeightOnlyConfig({ granularity: PerGroup(32) }),
  '2': new Int8WeightOnlyConfig(),
  _default: new TernaryWeightOnlyConfig(),
})

describe('in a model', () => {
  it('is composed with a config of another package', async () => {
    const model = newModel()
    const { quantized, skipped } = await quantize_(model, config)
    expect(quantized.map(({ name, format }) => [name, format])).toEqual([
      ['0.weight', 'TernaryTensor'],
      ['2.weight', 'Int8Tensor'],
    ])
    expect(skipped).toEqual([{ name: '3.weight', reason: 'its K=20 is not a multiple of 16' }])
    const x = random(3, 128, 4)
    const [first] = newModel().stateDict().values()
    const [ternary] = model.stateDict().values()
    expect(
      await computeError(linear(x, first as Tensor), linear(x, ternary as Tensor)),
    ).toBeGreaterThan(5)
  })

  it('goes through the JSON of a model, where its config is listed', () => {
    const json = JSON.parse(JSON.stringify(configToJson(config)))
    const configs = [TernaryWeightOnlyConfig, Int8WeightOnlyConfig]
    expect(configToJson(configFromJson(json, { configs }))).toEqual(json)
    expect(() => configFromJson(json, { configs: [Int8WeightOnlyConfig] })).toThrow(
      'TernaryWeightOnlyConfig',
    )
  })

  it('leaves experts alone', () => {
    const experts = zeros([2, 16, 32])
    expect(new TernaryWeightOnlyConfig().quantizeTensor(experts)).toEqual({
      skipped: 'it holds weights of several experts',
    })
  })
})

describe('in a file', () => {
  const formats = [TernaryTensor, Int8Tensor]

  it('is saved, and loaded by a list of formats', async () => {
    const model = newModel()
    await quantize_(model, config)
    const { tensors, metadata } = flattenTensorStateDict(model.stateDict())
    const file = serializeSafetensors(tensors, metadata)

    const raw = parseRawSafetensors(file)
    expect(raw.tensors.get('0._weight_qdata')).toMatchObject({ dtype: 'I32', shape: [64, 8] })
    expect(raw.tensors.get('0._weight_scale')).toMatchObject({ dtype: 'F32', shape: [4, 64] })

    const checkpoint = await openCheckpoint(memoryFolder(new Map([['model.safetensors', file]])))
    const loaded = newModel()
    const entries = new Map<string, Tensor>()
    for (const name of checkpoint.names) entries.set(name, await checkpoint.read(name, { formats }))
    loaded.loadStateDict(entries)
    const x = random(3, 128, 4)
    const [a, b] = [model, loaded].map((each) => each.stateDict().get('0.weight') as Tensor)
    expect(await computeError(linear(x, a as Tensor), linear(x, b as Tensor))).toBe(Infinity)
    await expect(checkpoint.read('0.weight', { formats: [Int8Tensor] })).rejects.toThrow(
      'TernaryTensor',
    )
  })

  it('is written tensor by tensor, as it is from memory', async () => {
    const model = newModel()
    const source = memoryFolder(
      new Map([['model.safetensors', serializeSafetensors([['0.weight', random(64, 128)]])]]),
    )
    const out = memoryFolder()
    await transformCheckpoint(await openCheckpoint(source), out, weightTransform(config))
    const weight = await (await openCheckpoint(out)).read('0.weight', { formats })
    await quantize_(model, config)
    const expected = model.stateDict().get('0.weight') as TernaryTensor
    expect(String(weight)).toBe(String(expected))
    expect(await (weight as TernaryTensor).qdata.data()).toEqual(await expected.qdata.data())
  })
})
