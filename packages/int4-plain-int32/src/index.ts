export type { Int4PlainInt32Fields, Int4PlainInt32Variant } from './layout.ts'
export {
  dequantizeInt4PlainInt32,
  int4PlainInt32Linear,
  type Int4PlainInt32Weight,
} from './linear-ops.ts'
export { Int4PlainInt32Tensor, type Int4PlainInt32FromHpOptions } from './tensor.ts'

// Exported again, so that this package alone is enough to quantize a weight and use it.
export { linear, readFloat32, tensor, type Tensor } from '@ao/base-tensor'
export { PerGroup, PerRow, type Granularity } from '@ao/granularity'
