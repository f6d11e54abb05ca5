/** @file Golden vectors as tensors, and their bits for exact comparison. */

import {
  arrayFromBytes,
  fromArray,
  hostArray,
  newArray,
  tensor,
  type StoredDType,
  type Tensor,
} from '@ao/base-tensor'
import { toNumbers, type MakeTensor } from '@ao/test-kit'

export const makeTensor: MakeTensor<Tensor> = (dtype, shape, bytes) =>
  fromArray(arrayFromBytes(dtype as StoredDType, bytes), shape, dtype as StoredDType)

/** Nested numbers of a golden file as a tensor; their list gives the shape unless told. */
export function goldenTensor(
  nested: any,
  dtype: StoredDType = 'float32',
  shape?: readonly number[],
): Tensor {
  return tensor(toNumbers(nested), { dtype, ...(shape ? { shape } : {}) })
}

/** Everything that two equal tensors share. All NaNs count as one. */
export function bits(value: Tensor): unknown {
  const array = hostArray(value)
  const data = Array.from(array as ArrayLike<number | bigint>, (x) =>
    isNaNBits(x, value.dtype) ? 'NaN' : x,
  )
  return { shape: [...value.shape], dtype: value.dtype, data }
}

function isNaNBits(x: number | bigint, dtype: StoredDType): boolean {
  switch (dtype) {
    case 'float32':
      return Number.isNaN(x)
    case 'bfloat16':
      return (Number(x) & 0x7fff) > 0x7f80
    case 'float16':
      return (Number(x) & 0x7fff) > 0x7c00
    default:
      return false
  }
}

/** A tensor of zeros like `value`, to check shape and dtype alone. */
export function layoutOf(value: Tensor): unknown {
  return bits(fromArray(newArray(value.dtype, value.numel), value.shape, value.dtype))
}
