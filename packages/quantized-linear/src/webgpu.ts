/** @file Linear kernels for quantized weights, on a format's decoder: see `webgpu/decoder.ts`. */

export {
  bitsKernels,
  bitsReaders,
  storedBits,
  type BitsArgs,
  type BitsReader,
} from './webgpu/bits-linear.ts'
export { bitsDecoder, type BitsDecoderOptions } from './webgpu/bits.ts'
export {
  int8LinearKernels,
  subgroupMatrices,
  type Int8KernelOptions,
  type SubgroupMatrices,
} from './webgpu/coded-linear.ts'
export {
  linearPrograms,
  type LinearPrograms,
  type MatrixSide,
  type StoredWeight,
  type WeightDecoder,
  type WeightSize,
} from './webgpu/decoder.ts'
export { byExperts, dequantizeWeight } from './webgpu/dequantize.ts'
export { elementwise } from './webgpu/elementwise.ts'
export { float8Kernels } from './webgpu/float8-kernels.ts'
export { float8ScalesKernel } from './webgpu/float8-scales.ts'
export { int4WordKernels, int4ZeroPointKernels } from './webgpu/int4-words.ts'
export { int4PackKernels } from './webgpu/int4-pack.ts'
export {
  int4Decoder,
  SIGNED_CODES,
  type Int4Decoder,
  type Int4DecoderOptions,
  type Int4Order,
} from './webgpu/int4.ts'
export { byteDecoder, int8Decoder, type Int8DecoderOptions } from './webgpu/int8.ts'
export { quantizeInput, type Int8Activation } from './webgpu/int8-activations.ts'
export {
  int8LinearVariants,
  int8Programs,
  type Int8Call,
  type Int8Input,
  type Int8Product,
  type Int8Programs,
  type Int8Variant,
} from './webgpu/int8-linear.ts'
export { floatMatrices } from './webgpu/matrices.ts'
export { INT8_MATRIX_SIDE, int8Matrices } from './webgpu/int8-matrices.ts'
export { int8InputAsFloats } from './webgpu/int8-input-as-floats.ts'
export { toBfloat16, toFloat8 } from './webgpu/input-rounding.ts'
export { stepByStep } from './webgpu/step-by-step.ts'
export { rowRanges, type RowRange } from './webgpu/row-ranges.ts'
export { weightDecoder } from './webgpu/weight-decoder.ts'
export { weightKernels, type WeightKernelsOptions } from './webgpu/kernels.ts'
export { linearVariants } from './webgpu/linear.ts'
export { packCodes, unpackCodes, type CodeRows } from './webgpu/pack.ts'
export {
  INT8_MATRIX_TUNING,
  INT8_TUNING,
  LINEAR_TUNING,
  type Int8TileTuning,
  type Int8Tuning,
  type LaneTuning,
  type LinearTuning,
  type LinearTuningOptions,
} from './webgpu/tuning.ts'
export {
  SILU_MUL,
  type InputRounding,
  type LinearProduct,
  type LinearVariant,
  type MoreVariants,
  type Second,
} from './webgpu/variants.ts'
