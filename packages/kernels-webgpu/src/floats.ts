/** @file Which floating dtypes programs compute with, and casts to and from the others. */

import {
  cast,
  isFloatDType,
  type DenseTensor,
  type FloatDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import type { GPU } from './kernel.ts'

/** Dtypes that programs read and write as numbers: float32, and float16 where shaders have it. */
export type NativeFloat = 'float32' | 'float16'

/** Whether programs read and write `dtype` as numbers. */
export function isNativeFloat(gpu: GPU, dtype: string): dtype is NativeFloat {
  takes('o<capabilities:o>x', gpu, dtype)
  return dtype === 'float32' || (dtype === 'float16' && gpu.capabilities.f16)
}

/**
 * `tensor` for programs to read: cast to float32 unless its dtype is native. All values of float16 and
 * bfloat16 are float32 values, so nothing is lost.
 */
export function floatInput(gpu: GPU, tensor: Tensor): DenseTensor {
  takes('o<dense:f>t', gpu, tensor)
  return gpu.dense(isNativeFloat(gpu, tensor.dtype) ? tensor : cast(tensor, 'float32'))
}

/**
 * A tensor of `dtype` that `write` fills: itself where its dtype is native, otherwise by way of float32,
 * rounded at the end.
 */
export function floatOutput(
  gpu: GPU,
  shape: readonly number[],
  dtype: FloatDType,
  write: (out: DenseTensor) => void,
): Tensor {
  takes('o<empty:f scope:f>szf', gpu, shape, dtype, write)
  if (isNativeFloat(gpu, dtype)) {
    const out = gpu.empty(shape, dtype)
    write(out)
    return out
  }
  return gpu.scope(() => {
    const out = gpu.empty(shape, 'float32')
    write(out)
    return cast(out, dtype)
  })
}

/**
 * `tensor` for programs that read any floating dtype as it is stored, by {@link storedWgsl}. Integers are
 * cast to float32.
 */
export function storedFloat(gpu: GPU, tensor: Tensor): DenseTensor {
  takes('o<dense:f>t', gpu, tensor)
  return gpu.dense(isFloatDType(tensor.dtype) ? tensor : cast(tensor, 'float32'))
}

/**
 * A tensor of `dtype` that `write` fills, as it is stored. Elements of 16 bits are written four at a time.
 *
 * @param inFours - whether `write` can do that; 16-bit dtypes go by way of float32 otherwise
 */
export function storedOutput(
  gpu: GPU,
  shape: readonly number[],
  dtype: FloatDType,
  inFours: boolean,
  write: (out: DenseTensor) => void,
): Tensor {
  takes('o<empty:f scope:f>sz.f', gpu, shape, dtype, inFours, write)
  if (dtype === 'float32' || inFours) {
    const out = gpu.empty(shape, dtype)
    write(out)
    return out
  }
  return gpu.scope(() => {
    const out = gpu.empty(shape, 'float32')
    write(out)
    return cast(out, dtype)
  })
}
