export {
  cast,
  castArray,
  fromFloat32,
  fromFloat32Array,
  hostFloat32,
  readFloat32,
  tensor,
  toFloat32Array,
  type NestedNumbers,
} from './cast.ts'
export { checkDType, checkShape } from './check-part.ts'
export { cpu, meta, type CpuStorage, type Device, type Storage } from './device.ts'
export { asDense, DenseTensor, fromArray, hostArray, isDenseTensor, zeros } from './dense-tensor.ts'
export {
  arrayFromBytes,
  finfo,
  iinfo,
  isDType,
  isFloat8DType,
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
  FormatError,
  MissingKernelError,
  ShapeError,
  UnsupportedOpError,
  ValueError,
  type AoErrorParts,
} from './errors.ts'
export { bmmByExperts, checkBias, roundThenAddBias } from './format-linear.ts'
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
  dtypeCodec,
  encodeFields,
  enumCodec,
  integerCodec,
  isJsonObject,
  jsonType,
  listCodec,
  narrowDTypeCodec,
  numberCodec,
  optionalCodec,
  recordCodec,
  rejectJson,
  stringCodec,
  toSnakeCase,
  type Json,
  type JsonCodec,
  type JsonDialect,
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
export { dot, matmulNT, tiledMatmulNT, type FillRows } from './matmul.ts'
export {
  defineOp,
  isTensor,
  type AnyOp,
  type ErrorBudget,
  type Op,
  type OpDefinition,
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
export type { Tensor } from './tensor.ts'
export {
  implement,
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
