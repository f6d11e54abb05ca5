export type { Int4Fields } from './layout.ts'
export { dequantizeInt4, int4Float8Linear, int4Linear, type Int4Weight } from './linear-ops.ts'
export { Int4Tensor, type Int4TensorFromHpOptions } from './tensor.ts'

// Exported again, so that this package alone is enough to quantize a weight and use it.
export { linear, readFloat32, tensor, type Tensor } from '@ao/base-tensor'
export { PerGroup, PerRow, type Granularity } from '@ao/granularity'
export { packInt4, unpackInt4, type Int4ActivationDType } from '@ao/quantized-linear'
