export type { IntxActivation } from './activations.ts'
export {
  Int8DynamicActivationIntxWeightConfig,
  IntxWeightOnlyConfig,
  type Int8DynamicActivationIntxWeightOptions,
  type IntxPackingFormat,
  type IntxWeightOnlyOptions,
} from './configs/intx.ts'
export {
  Int4DynamicActivationInt4WeightConfig,
  Int8DynamicActivationInt4WeightConfig,
  type Int4DynamicActivationInt4WeightOptions,
  type Int8DynamicActivationInt4WeightOptions,
} from './configs/older.ts'
export type { IntxDType, IntxFields } from './layout.ts'
export { intxDynamicLinear } from './linear-ops.ts'
export type { IntxChooseQparamsAlgorithm, IntxFromHpOptions } from './quantize.ts'
export { IntxUnpackedToInt8Tensor } from './tensor.ts'
