/** @file Kernels for int4 weights, for formats to bring to their ops: see `int4/layout.ts`. */

export { byExperts, int4Dequantize } from './int4/dequantize.ts'
export {
  int4Programs,
  type Int4Layout,
  type Int4Order,
  type Int4Programs,
  type Int4Stored,
} from './int4/layout.ts'
export { mapNumbers } from './int4/map.ts'
export { packCodes, unpackCodes, type CodeRows } from './int4/pack.ts'
export { int4LinearVariants } from './int4/linear.ts'
export {
  INT4_TUNING,
  type Int4LaneTuning,
  type Int4Tuning,
  type Int4TuningOptions,
} from './int4/tuning.ts'
export type { Int4Product } from './int4/ways.ts'
