/** @file Kernels for int4 weights, for formats to bring to their ops: see `webgpu/int4/layout.ts`. */

export { byExperts, int4Dequantize } from './webgpu/int4/dequantize.ts'
export {
  int4Programs,
  type Int4Layout,
  type Int4Order,
  type Int4Programs,
  type Int4Stored,
} from './webgpu/int4/layout.ts'
export { mapNumbers } from './webgpu/int4/map.ts'
export { packCodes, unpackCodes, type CodeRows } from './webgpu/int4/pack.ts'
export { int4LinearVariants } from './webgpu/int4/linear.ts'
export {
  INT4_TUNING,
  type Int4LaneTuning,
  type Int4Tuning,
  type Int4TuningOptions,
} from './webgpu/int4/tuning.ts'
export type { Int4Product } from './webgpu/int4/ways.ts'
