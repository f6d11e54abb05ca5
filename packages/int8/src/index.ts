export { Int8Tensor, type Int8FromHpOptions } from './tensor.ts'
export type { Int8Fields } from './layout.ts'
export { QuantizeTensorToInt8Kwargs } from './quantize-kwargs.ts'
export {
  dynamicLinear,
  groupwiseLinear,
  staticLinear,
  weightOnlyLinear,
  type Int8ActivationQparams,
  type Int8Weight,
} from './linear-ops.ts'
