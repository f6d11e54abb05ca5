export { BAND_ROWS, LANE_CODES, type Int4PreshuffledFields } from './layout.ts'
export {
  dequantizeInt4Preshuffled,
  int4PreshuffledFloat8Linear,
  int4PreshuffledLinear,
  type Int4PreshuffledWeight,
} from './linear-ops.ts'
export { packInt4Preshuffled, unpackInt4Preshuffled } from './shuffle.ts'
export {
  Int4PreshuffledTensor,
  type Int4PreshuffledFromHpOptions,
  type Int4PreshuffledOptions,
} from './tensor.ts'

// Exported again, so that this package alone is enough to quantize a weight and use it.
export { linear, readFloat32, tensor, type Tensor } from '@ao/base-tensor'
export { PerGroup, PerRow, type Granularity } from '@ao/granularity'
export type { Int4ActivationDType } from '@ao/quantized-linear'
