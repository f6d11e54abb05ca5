export { findQuantization, type FoundQuantization, type ListedTensor } from './find-quantization.ts'
export { configFromJson, configToJson, type ConfigFromJsonOptions } from './config-from-json.ts'
export {
  AOPerModuleConfig,
  fqnMatchesFqnConfig,
  FqnToConfig,
  ModuleFqnToConfig,
  type FqnConfigs,
  type FqnMatch,
} from './fqn-to-config.ts'
export { readQuantizationConfig, toQuantizationConfig } from './hugging-face.ts'
export { Int4WeightOnlyConfig, type Int4WeightOnlyOptions } from './int4-weight-only-config.ts'
export { isLinearWeightName } from './linear-weight-name.ts'
export {
  quantizeStateDict,
  weightTransform,
  type QuantizeStateDictOptions,
  type WeightChoice,
  type WeightFilter,
  type WeightTransformOptions,
} from './quantize-state-dict.ts'
export { checkFinite } from './quantize-weight.ts'
export { isLinear, quantize_, type ModuleFilter, type QuantizeOptions } from './quantize.ts'
export type {
  OnProgress,
  QuantizedWeight,
  QuantizeProgress,
  QuantizeReport,
  SkippedWeight,
} from './report.ts'
export { MODEL_FAMILIES } from './roles/families.ts'
export type { FamilyRoles, ModelFamily } from './roles/model-family.ts'
export type { RoleDecision, ShapedTensor, TensorRole, TensorRoles } from './roles/role.ts'
export { tensorRoles } from './roles/tensor-roles.ts'
export { TorchAoConfig, type HuggingFaceQuantization } from './torchao-config.ts'
export type { ConfigOrTorchAo } from './torchao-config-of.ts'
export { computeError } from '@ao/quant-primitives'
