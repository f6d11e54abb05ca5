import { describe, expect, it } from 'vitest'
import {
  meta,
  type DenseTensor,
  type FlattenedTensor,
  type StoredForm,
  type SubclassFields,
  type TensorSubclass,
  type TensorSubclassType,
} from '@ao/base-tensor'
import {
  bytesSource,
  flattenTensorStateDict,
  memoryFolder,
  openCheckpoint,
  openCheckpointFile,
  serializeSafetensors,
  transformCheckpoint,
  unflattenTensorStateDict,
} from '../src/index.ts'
import { bytesOf, counting, int8Tensor, Int8Tensor, messageOf } from './helpers.ts'

const asInt8: StoredForm = {
  formatName: Int8Tensor.formatName,
  tensorDataNames: Int8Tensor.tensorDataNames,
  optionalTensorDataNames: Int8Tensor.optionalTensorDataNames,
  tensorAttributeNames: Int8Tensor.tensorAttributeNames,
  optionalTensorAttributeNames: Int8Tensor.optionalTensorAttributeNames,
  attributeCodecs: Int8Tensor.attributeCodecs,
  flatten: (tensor: TensorSubclass): FlattenedTensor => {
    const { tensors, attributes } = tensor.flatten()
    const { turned, ...others } = tensors
    return { tensors: { qdata: transposed(turned as DenseTensor), ...others }, attributes }
  },
  unflatten: ({ qdata, ...others }: SubclassFields) => {
    if (others['zeroPoint'] === undefined) throw new TypeError('there is no zero point')
    return new TurnedTensor({ ...others, turned: transposed(qdata as DenseTensor) })
  },
}

/** A format whose codes are transposed in memory, and as Int8Tensor has them in files. */
class TurnedTensor extends Int8Tensor {
  static override readonly formatName: string = 'TurnedTensor'
  static override readonly tensorDataNames: readonly string[] = ['turned', 'scale']
  static override readonly storedForm: StoredForm = asInt8
  declare readonly turned: DenseTensor

  constructor(fields: Record<string, any>) {
    super({ ...fields, shape: fields['turned'].shape.toReversed() })
  }
}

function transposed(tensor: DenseTensor): DenseTensor {
  return tensor.transpose(0, 1).contiguous()
}

const formats = [TurnedTensor] as unknown as readonly TensorSubclassType[]
const both = [TurnedTensor, Int8Tensor] as unknown as readonly TensorSubclassType[]
const plain = int8Tensor(3, 5)
const turned = new TurnedTensor({
  ...plain.flatten().attributes,
  ...plain.flatten().tensors,
  turned: transposed(plain.qdata),
})

describe('a format that files hold in the form of another', () => {
  const flat = flattenTensorStateDict([['a.weight', turned]])

  it('is written as that other, to the byte', () => {
    const other = flattenTensorStateDict([['a.weight', plain]])
    expect(flat.metadata).toEqual(other.metadata)
    expect(serializeSafetensors(flat.tensors, flat.metadata)).toEqual(
      serializeSafetensors(other.tensors, other.metadata),
    )
  })

  it('is read from it', async () => {
    const { tensors, leftover } = unflattenTensorStateDict(flat.tensors, flat.metadata, { formats })
    const read = tensors.get('a.weight') as TurnedTensor
    expect(read).toBeInstanceOf(TurnedTensor)
    expect(read.shape).toEqual([3, 5])
    expect(bytesOf(read)).toEqual(bytesOf(turned))
    expect(leftover.size).toBe(0)
    const file = serializeSafetensors(flat.tensors, flat.metadata)
    const checkpoint = await openCheckpointFile(bytesSource(file, 'x.safetensors'))
    expect(checkpoint.info('a.weight').format).toBe('Int8Tensor')
    expect(await checkpoint.read('a.weight', { formats })).toBeInstanceOf(TurnedTensor)
    const planned = await checkpoint.plan('a.weight', { formats })
    expect([planned.shape, planned.device]).toEqual([[3, 5], meta])
  })

  it.each([[both], [both.toReversed()]])('leaves the other to its own class, %#', (formats) => {
    const { tensors } = unflattenTensorStateDict(flat.tensors, flat.metadata, { formats })
    expect(tensors.get('a.weight')?.constructor).toBe(Int8Tensor)
  })

  it('is planned and written by a transform', async () => {
    const source = serializeSafetensors([['a.weight', counting([3, 5], 'int8')]])
    const folder = memoryFolder(new Map([['model.safetensors', source]]))
    const made = memoryFolder()
    const transform = (): TensorSubclass => turned
    await transformCheckpoint(await openCheckpoint(folder), made, transform, { formats })
    const again = await openCheckpoint(made)
    expect(again.info('a.weight').format).toBe('Int8Tensor')
    expect(bytesOf(await again.read('a.weight', { formats }))).toEqual(bytesOf(turned))
  })

  it('names the form in messages', async () => {
    const read = (metadata: ReadonlyMap<string, string>) =>
      messageOf(() => unflattenTensorStateDict(flat.tensors, metadata, { formats }))
    const text = flat.metadata.get('a.weight') as string
    const changed = (from: string, to: string) =>
      read(new Map(flat.metadata).set('a.weight', text.replace(from, to)))
    expect(await changed('"Int8Tensor"', '"TurnedTensor"')).toContain(
      'the class of "a.weight" among `formats` (Int8Tensor), got "TurnedTensor".',
    )
    expect(await changed('"zero_point", ', '')).toBe(
      '[@ao/safetensors] Expected "a.weight" to make a valid Int8Tensor, got there is no zero point. Its attributes and parts do not fit each other: write the file again.',
    )
  })
})
