import { cast, type StoredDType, type Tensor } from '@ao/base-tensor'

/** `tensor` in `dtype`. */
export const asFloat = (tensor: Tensor, dtype: StoredDType): Tensor =>
  tensor.dtype === dtype ? tensor : cast(tensor, dtype)
