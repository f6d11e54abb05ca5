import { tensor, type DenseTensor, type FloatDType, type NestedNumbers } from '@ao/base-tensor'
import { PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'

export const DTYPES = ['float32', 'float16', 'bfloat16'] as const

/** A granularity as the golden vectors spell it. */
export function granularityOf(stored: {
  type: string
  dim?: number
  group_size?: number
}): Granularity {
  if (stored.type === 'PerTensor') return PerTensor()
  return stored.type === 'PerRow' ? PerRow(stored.dim) : PerGroup(stored.group_size as number)
}

export function dense(values: NestedNumbers, dtype: FloatDType | 'int8' = 'float32'): DenseTensor {
  return tensor(values, { dtype })
}
