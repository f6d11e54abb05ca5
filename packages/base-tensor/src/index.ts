export {
  cast,
  castArray,
  fromFloat32,
  fromFloat32Array,
  hostFloat32,
  readFloat32,
  roundArray,
  tensor,
  toFloat32Array,
  type NestedNumbers,
} from './cast.ts'
export { checkDType, checkFinite, checkPreScale, checkShape } from './check-part.ts'
export {
  defineConfig,
  type ConfigBase,
  type ConfigDefinition,
  type ConfigOption,
  type DefinedConfig,
} from './define-config.ts'
export {
  cpu,
  inScope,
  meta,
  type CpuStorage,
  type Device,
  type Recording,
  type Storage,
} from './device.ts'
export {
  asDense,
  copy,
  copyInto,
  DenseTensor,
  fromArray,
  hostArray,
  isDenseTensor,
  zeros,
} from './dense-tensor.ts'
export {
  arrayFromBytes,
  finfo,
  iinfo,
  isDType,
  isFloat8DType,
  FLOAT_DTYPES,
  isFloatDType,
  isStoredDType,
  itemSize,
  newArray,
  STORED_DTYPES,
  type DType,
  type Float8DType,
  type FloatDType,
  type FloatInfo,
  type IntInfo,
  type LogicalDType,
  type StoredDType,
  type TypedArray,
  type TypedArrayOf,
} from './dtype.ts'
export {
  AoError,
  DeviceError,
  DTypeError,
  errorsOf,
  FormatError,
  MissingKernelError,
  ShapeError,
  UnsupportedOpError,
  ValueError,
  type AoErrorParts,
  type ErrorMaker,
} from './errors.ts'
export { freeTensor, innerTensors } from './parts.ts'
export { addBiasThenRound, bmmByExperts, checkBias } from './format-linear.ts'
export {
  fromBfloat16Bits,
  fromFloat16Bits,
  fromFloat8E4m3Bits,
  fromFloat8E5m2Bits,
  roundHalfToEven,
  rounder,
  roundToBfloat16,
  roundToFloat16,
  toBfloat16Bits,
  toFloat16Bits,
  toFloat8E4m3Bits,
  toFloat8E5m2Bits,
} from './float-bits.ts'
export {
  booleanCodec,
  decodeFields,
  decodeJson,
  dtypeCodec,
  encodeFields,
  encodeJson,
  enumCodec,
  integerCodec,
  isJsonObject,
  jsonType,
  listCodec,
  narrowDTypeCodec,
  numberCodec,
  optionalCodec,
  positiveIntegerCodec,
  recordCodec,
  rejectJson,
  stringCodec,
  toSnakeCase,
  unionCodec,
  type Json,
  type JsonCodec,
  type JsonDescription,
  type JsonDialect,
  type JsonMethods,
  type RecordField,
  type RecordFields,
} from './json-codec.ts'
export {
  add,
  addBias,
  bmm,
  broadcastShapes,
  embedding,
  linear,
  linearShape,
  matmul,
  mul,
  promote,
} from './math-ops.ts'
export { KernelTable, type Explanation, type KernelVariant, type OpKernel } from './kernel-table.ts'
export { dot, matmulNT, tiledMatmulNT, type FillRows } from './matmul.ts'
export { nextTask } from './next-task.ts'
export {
  defineOp,
  type AnyOp,
  type ErrorBudget,
  type Op,
  type OpDefinition,
  type Vjp,
} from './op.ts'
export { expectFormat, implementOnFields } from './op-table.ts'
export {
  isSkipped,
  skip,
  skipUnlessWeight,
  type ConfigJsonContext,
  type QuantizationConfig,
  type QuantizationConfigType,
  type QuantizeContext,
  type Skipped,
} from './quantization-config.ts'
export { contiguousStrides, normalizeDim, numelOf, resolveShape, sliceRange } from './strided.ts'
export { freezeConfig, Printable } from './printable.ts'
export { isTensor, takes } from './takes.ts'
export type { Tensor } from './tensor.ts'
export {
  implement,
  implementNamed,
  isTensorSubclass,
  metadataDifference,
  TensorSubclass,
  type FlattenedTensor,
  type OpImplementation,
  type StoredForm,
  type SubclassFields,
  type SubclassLayout,
  type TensorSubclassType,
} from './tensor-subclass.ts'
export {
  cat,
  chunk,
  index,
  narrow,
  reshape,
  select,
  slice,
  squeeze,
  transpose,
  unsqueeze,
  view,
} from './view-ops.ts'
export { fusedMultiplyAdd, roundToHalf } from './rounding.ts'
