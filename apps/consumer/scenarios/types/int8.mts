import { Int8Tensor, linear, PerGroup, readFloat32, tensor, type Tensor } from '@ao/int8'

const weight: Tensor = tensor([[0.5, -1]])
const quantized: Int8Tensor = Int8Tensor.fromHp(weight, { granularity: PerGroup(2) })
const shape: readonly number[] = quantized.scale.shape
const numbers: Promise<Float32Array> = readFloat32(linear(tensor([[1, -2]]), quantized))
void [shape, numbers]

// @ts-expect-error a granularity is a value of a function such as PerGroup
Int8Tensor.fromHp(weight, { granularity: 'PerGroup' })
