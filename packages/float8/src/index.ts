export {
  Float8DynamicActivationFloat8WeightConfig,
  type Float8DynamicActivationFloat8WeightOptions,
  type Float8PackingFormat,
} from './configs/dynamic.ts'
export {
  Float8DynamicActivationInt4WeightConfig,
  type Float8DynamicActivationInt4WeightOptions,
} from './configs/int4.ts'
export {
  Float8StaticActivationFloat8WeightConfig,
  type Float8StaticActivationFloat8WeightOptions,
} from './configs/static.ts'
export { Float8WeightOnlyConfig, type Float8WeightOnlyOptions } from './configs/weight-only.ts'
export { Float8MMConfig, QuantizeTensorToFloat8Kwargs, type KernelPreference } from './kwargs.ts'
export type { Float8Fields, StoredFloat8Fields } from './layout.ts'
export { float8DynamicLinear, float8Linear, type Float8Weight } from './linear-ops.ts'
export {
  PrototypeFloat8Tensor,
  type StaticFloat8Fields,
  type StaticFloat8FromHpOptions,
} from './static-tensor.ts'
export { Float8Tensor, type Float8FromHpOptions } from './tensor.ts'
