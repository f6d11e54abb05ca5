/** @file Kernels for int4 weights, for formats to bring to their ops: see `layout.ts`. */

export { byExperts, int4Dequantize } from './dequantize.ts'
export {
  int4Programs,
  type Int4Layout,
  type Int4Order,
  type Int4Programs,
  type Int4Stored,
} from './layout.ts'
export { mapNumbers } from './map.ts'
export { packCodes, unpackCodes, type CodeRows } from './pack.ts'
export { int4LinearVariants } from './linear.ts'
export {
  INT4_TUNING,
  type Int4LaneTuning,
  type Int4MatrixTile,
  type Int4Tuning,
  type Int4TuningOptions,
} from './tuning.ts'
export type { Int4Product } from './ways.ts'
