export {
  UIntxBitPackedTensor,
  type UIntxBitPackedFields,
  type UIntxBitPackedOptions,
} from './bit-packed-tensor.ts'
export { UIntxWeightOnlyConfig, type UIntxWeightOnlyOptions } from './configs.ts'
export type { GemliteKwargs, PackingBitwidth } from './gemlite.ts'
export type { UintxFields } from './layout.ts'
