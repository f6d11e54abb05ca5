/** @file Weights with random content, made on the device: measuring needs sizes, not a trained model. */

import {
  DenseTensor,
  fromFloat32Array,
  isFloatDType,
  isSkipped,
  isTensorSubclass,
  meta,
  newArray,
  numelOf,
  zeros,
  type Device,
  type FloatDType,
  type QuantizationConfig,
  type StoredDType,
  type Tensor,
  type TensorSubclassType,
  type TypedArray,
} from '@ao/base-tensor'
import { randomWords } from './statistics.ts'

/** A tensor of the shape and dtype of `like` with random content on `device`; a quantized one by its parts. */
export function randomLike(like: Tensor, device: Device, seed: number = 1): Tensor {
  if (!isTensorSubclass(like)) return randomDense(like as DenseTensor, 'weight', device, seed)
  const { tensors, attributes } = like.flatten()
  const parts = Object.entries(tensors).map(
    ([name, part], i) => [name, randomDense(part, name, device, seed + 100 * i)] as const,
  )
  const type = like.constructor as TensorSubclassType
  return new type({ ...attributes, ...Object.fromEntries(parts) } as never)
}

/** A weight (n, k) that `config` quantizes, with random codes and scales. */
export function randomWeight(
  config: QuantizationConfig,
  [n, k]: readonly [number, number],
  {
    device,
    dtype,
    seed,
  }: { readonly device: Device; readonly dtype: FloatDType; readonly seed: number },
): Tensor {
  const planned = config.quantizeTensor(zeros([n, k], dtype, meta), { name: 'weight' })
  if (isSkipped(planned)) throw new Error(`[${n}, ${k}] cannot be quantized: ${planned.skipped}`)
  return randomLike(planned, device, seed)
}

/** The dense tensors that a tensor is made of. */
export function partsOf(tensor: Tensor): DenseTensor[] {
  if (isTensorSubclass(tensor)) return Object.values(tensor.flatten().tensors)
  return [tensor as DenseTensor]
}

const BLOCK = 1 << 22 // words that are made once and used over and over

function randomDense(like: DenseTensor, name: string, device: Device, seed: number): DenseTensor {
  const length = numelOf(like.shape)
  return new DenseTensor(
    device.upload(like.dtype, content(like.dtype, length, name, seed)),
    like.shape,
  )
}

function content(dtype: StoredDType, length: number, name: string, seed: number): TypedArray {
  const isCode = name === 'qdata'
  const out = newArray(dtype, length)
  if (!isFloatDType(dtype) && !isCode) return out // integer zero points
  const bytes = new Uint8Array(out.buffer)
  const block = isCode ? codes(seed) : floats(dtype, name, seed)
  for (let at = 0; at < bytes.length; at += block.length) {
    bytes.set(block.subarray(0, Math.min(block.length, bytes.length - at)), at)
  }
  return out
}

function codes(seed: number): Uint8Array {
  return new Uint8Array(randomWords(BLOCK, seed).buffer)
}

/** Small numbers around 0 for weights, from 0.001 to 0.003 for scales. */
function floats(dtype: StoredDType, name: string, seed: number): Uint8Array {
  const isScale = /scale/i.test(name)
  const values = Float32Array.from(randomWords(BLOCK >> 2, seed), (word) => {
    const unit = word / 2 ** 32
    return isScale ? 0.001 + 0.002 * unit : 0.04 * (unit - 0.5)
  })
  const array = fromFloat32Array(values, dtype)
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
