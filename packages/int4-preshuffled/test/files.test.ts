import type { DenseTensor, Tensor, TensorSubclass } from '@ao/base-tensor'
import { PerGroup } from '@ao/granularity'
import { Int4Tensor } from '@ao/int4'
import {
  bytesSource,
  flattenTensorStateDict,
  memoryFolder,
  openCheckpoint,
  openCheckpointFile,
  serializeSafetensors,
  transformCheckpoint,
  unflattenTensorStateDict,
} from '@ao/safetensors'
import { goldenPath } from '@ao/test-data'
import { elements, randn } from '@ao/test-tensors'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Int4PreshuffledTensor } from '../src/index.ts'

const hp = randn([6, 96], { dtype: 'bfloat16' })
const options = [
  { granularity: PerGroup(32) },
  { granularity: PerGroup(32), activationDtype: 'float8_e4m3fn' },
] as const
const formats = [Int4PreshuffledTensor]

function fileOf(weight: Tensor): Uint8Array<ArrayBuffer> {
  const { tensors, metadata } = flattenTensorStateDict([['up.weight', weight]])
  return serializeSafetensors(tensors, metadata)
}

function bits(weight: TensorSubclass): unknown {
  const { tensors, attributes } = weight.flatten()
  return [Object.entries(tensors).map(([name, part]) => [name, elements(part)]), attributes]
}

async function read(file: Uint8Array<ArrayBuffer>, as: typeof formats | [typeof Int4Tensor]) {
  const checkpoint = await openCheckpointFile(bytesSource(file, 'x.safetensors'))
  return (await checkpoint.read('up.weight', { formats: as })) as TensorSubclass
}

describe('a file with a preshuffled weight', () => {
  it('is that of the plain weight, to the byte', () => {
    const [bf16] = options
    const file = fileOf(Int4PreshuffledTensor.fromHp(hp, bf16))
    expect(file).toEqual(fileOf(Int4Tensor.fromHp(hp, bf16)))
  })

  it.each(options)('is read by this format and by the plain one: %j', async (option) => {
    const weight = Int4PreshuffledTensor.fromHp(hp, option)
    const file = fileOf(weight)
    expect(bits(await read(file, formats))).toEqual(bits(weight))
    const plain = (await read(file, [Int4Tensor])) as Int4Tensor
    expect(plain).toBeInstanceOf(Int4Tensor)
    const { activationDtype } = plain
    expect(activationDtype).toBe(weight.activationDtype)
    const again = Int4PreshuffledTensor.fromCodes(plain.toCodes(), { activationDtype })
    expect(bits(again)).toEqual(bits(weight))
  })

  it("may be torchao's own, and is written again to the byte", async () => {
    const file = new Uint8Array(
      readFileSync(goldenPath('checkpoints/int4_plain/model.safetensors')),
    )
    const checkpoint = await openCheckpointFile(bytesSource(file, 'model.safetensors'))
    const state: [string, Tensor][] = []
    for await (const entry of checkpoint.entries({ formats })) state.push(entry)
    const weights = state.filter(([, tensor]) => tensor instanceof Int4PreshuffledTensor)
    expect(weights.map(([name]) => name)).toEqual(['up.weight', 'down.weight', 'head.weight'])
    const { tensors, metadata } = flattenTensorStateDict(state)
    const bytes = serializeSafetensors(tensors, metadata)
    const again = await openCheckpointFile(bytesSource(bytes, 'again.safetensors'))
    expect(JSON.parse(again.metadata.get('up.weight')!)).toEqual(
      JSON.parse(checkpoint.metadata.get('up.weight')!),
    )
    for (const { parts } of checkpoint.names.map((name) => checkpoint.info(name))) {
      for (const { key } of parts) {
        const stored = await [...checkpoint.files.values()][0]!.read(key)
        expect(elements(tensors.get(key)!), key).toEqual(elements(stored))
      }
    }
  })

  it('holds experts', async () => {
    const experts = { granularity: PerGroup(64) }
    const weight = Int4PreshuffledTensor.fromHp(randn([3, 5, 128]), experts)
    expect(bits(await read(fileOf(weight), formats))).toEqual(bits(weight))
  })

  it.each(options)('is made of a checkpoint tensor by tensor: %j', async (option) => {
    const source = memoryFolder(
      new Map([['model.safetensors', serializeSafetensors([['up.weight', hp]])]]),
    )
    const made = memoryFolder()
    const quantize = (_: string, weight: Tensor) => Int4PreshuffledTensor.fromHp(weight, option)
    await transformCheckpoint(await openCheckpoint(source), made, quantize)
    const weight = await (await openCheckpoint(made)).read('up.weight', { formats })
    expect(bits(weight as TensorSubclass)).toEqual(bits(quantize('', hp)))
  })
})

describe('a damaged or foreign file', () => {
  const { tensors, metadata } = flattenTensorStateDict([
    ['up.weight', Int4Tensor.fromHp(hp, options[0])],
  ])
  const message = (
    change: (json: any) => unknown,
    parts: Iterable<readonly [string, DenseTensor]> = tensors,
  ): string => {
    const text = JSON.stringify(change(JSON.parse(metadata.get('up.weight') as string)))
    const changed = new Map(metadata).set('up.weight', text)
    try {
      unflattenTensorStateDict(new Map([...tensors, ...parts]), changed, { formats })
    } catch (error) {
      return (error as Error).message
    }
    return 'nothing is wrong'
  }
  const data = (change: object) => (json: any) => ({ ...json, _data: { ...json._data, ...change } })

  it('is refused with the reason', () => {
    expect(message((json) => json)).toBe('nothing is wrong')
    expect(message(data({ shape: [96, 6] }))).toContain(
      '[@ao/safetensors] Expected "up.weight" to make a valid Int4Tensor, got [@ao/int4-preshuffled] Expected a block size of ones',
    )
    expect(message(data({ shape: [5, 96] }))).toContain(
      'Expected qdata of shape [5, 48], got [6, 48]',
    )
    expect(message(data({ block_size: [32, 1] }))).toContain('got [32, 1] for [6, 96]')
    expect(message(data({ block_size: [1, 96] }))).toContain(
      'Expected scale of shape [1, 6], got [3, 6]',
    )
    const float8 = { _type: 'torch.dtype', _data: 'float8_e4m3fn' }
    expect(message(data({ activation_dtype: float8 }))).toContain('zero points other than 0')
    const qdata = randn([6, 48])
    expect(message((json) => json, [['up._weight_qdata', qdata]])).toContain('qdata of int8')
    const scale = randn([3, 6])
    expect(message((json) => json, [['up._weight_scale', scale]])).toContain(
      'zeroPoint of float32, got bfloat16',
    )
    const withPreScale = (json: any) => ({
      ...json,
      _tensor_data_names: ['act_pre_scale', ...json._tensor_data_names],
    })
    expect(message(withPreScale, [['up._weight_act_pre_scale', randn([96])]])).toContain(
      'Expected a weight without actPreScale, got one that has it. Read it as Int4Tensor.',
    )
    // torchao's own preshuffled weights are in the order of its kernels, and it stores none.
    expect(message((json) => ({ ...json, _type: 'Int4PreshuffledTensor' }))).toContain(
      'among `formats` (Int4Tensor), got "Int4PreshuffledTensor"',
    )
  })
})
