export {
  UIntxBitPackedTensor,
  type UIntxBitPackedFields,
  type UIntxBitPackedOptions,
} from './bit-packed-tensor.ts'
export {
  UIntxWeightOnlyConfig,
  UIntXWeightOnlyConfig,
  type UintxDType,
  type UIntxWeightOnlyOptions,
  type UIntXWeightOnlyOptions,
} from './configs.ts'
export type { GemliteKwargs, PackingBitwidth } from './gemlite.ts'
export type { UintxFields } from './layout.ts'
export { packUintx, unpackUintx } from './shards.ts'
export { UintxTensor, type UintxTensorFields, type UintxTensorOptions } from './uintx-tensor.ts'
