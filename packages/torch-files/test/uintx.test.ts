import { fromArray, hostArray, type DenseTensor } from '@ao/base-tensor'
import { orderedDict, subclass, TorchSaver, type PyCall } from '@ao/test-data'
import { UIntxBitPackedTensor } from '@ao/uintx'
import { expect, it } from 'vitest'
import { bytesOf, openTorch } from './helpers.ts'

const TYPE = 'torchao.prototype.quantization.uintx.uintx_bit_packed_tensor.UIntxBitPackedTensor'
const values = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i * i))

it.each([
  [4, 32],
  [8, -1],
] as const)('a weight of %i bits that gemlite packed', async (bitWidth, groupSize) => {
  const hp = fromArray(values, [4, 64], 'float32')
  const weight = UIntxBitPackedTensor.fromHp(hp, { bitWidth, groupSize })
  const { tensors, attributes } = UIntxBitPackedTensor.storedForm.flatten(weight)
  const saver = new TorchSaver()
  const part = (tensor: DenseTensor): PyCall =>
    saver.tensor({ dtype: tensor.dtype, shape: tensor.shape, bytes: bytesOf(hostArray(tensor)) })
  const state = {
    packed_weight: part(tensors['packedWeight'] as DenseTensor),
    scale: part(tensors['scale'] as DenseTensor),
    zero_point: part(tensors['zeroPoint'] as DenseTensor),
    gemlite_kwargs: new Map(Object.entries(attributes['gemliteKwargs'] as object)),
    ...{ bit_width: bitWidth, group_size: attributes['groupSize'] },
  }
  const saved = subclass(TYPE, 'float32', [4, 64], state)
  const checkpoint = await openTorch(saver.file(orderedDict([['up.weight', saved]])))
  const read = await checkpoint.read('up.weight', { formats: [UIntxBitPackedTensor] })
  expect(String(read)).toBe(String(weight))
  const own = (read as UIntxBitPackedTensor).dequantize()
  expect(hostArray(own)).toEqual(hostArray(weight.dequantize()))
  await checkpoint.close()
})
