export {
  Int8DynamicActivationInt8WeightConfig,
  Int8StaticActivationInt8WeightConfig,
  type Int8DynamicActivationInt8WeightOptions,
  type Int8StaticActivationInt8WeightOptions,
} from './configs/quantized-activations.ts'
export type { Int8Fields } from './layout.ts'
export { QuantizeTensorToInt8Kwargs, type GranularityPair } from '@ao/quantized-linear'
export { Int8Tensor, type Int8FromHpOptions } from './tensor.ts'
export { Int8WeightOnlyConfig, type Int8WeightOnlyOptions } from './configs/weight-only.ts'

// Exported again, so that this package alone is enough to quantize a weight and use it.
export { linear, readFloat32, tensor, type Tensor } from '@ao/base-tensor'
export { PerGroup, PerRow, PerTensor, type Granularity } from '@ao/granularity'
export {
  dynamicLinear,
  groupwiseLinear,
  quantizeToInt8,
  staticLinear,
  weightOnlyLinear,
  type CodedWeight,
  type Int8ActivationQparams,
  type Int8Codes,
  type Int8Quantization,
} from '@ao/quantized-linear'
