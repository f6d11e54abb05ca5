import { DTypeError, isFloatDType, type FloatDType, type Tensor, takes } from '@ao/base-tensor'

/** The dtype of a tensor that an op computes in. */
export function floatDType(tensor: Tensor, op: string): FloatDType {
  takes('tx', tensor, op)
  if (isFloatDType(tensor.dtype)) return tensor.dtype
  throw new DTypeError({
    package: '@ao/text-generation',
    expected: `${op} of float32, float16 or bfloat16`,
    got: tensor.dtype,
  })
}
