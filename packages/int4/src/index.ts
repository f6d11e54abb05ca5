export type { Int4ActivationDType, Int4Fields } from './layout.ts'
export {
  dequantizeInt4,
  int4Float8Linear,
  int4Linear,
  packInt4,
  unpackInt4,
  type Int4Weight,
} from './linear-ops.ts'
export { Int4Tensor, type Int4TensorFromHpOptions } from './tensor.ts'
