export { bitsPacking, type BitsFields } from './bits/layout.ts'
export {
  bitsLinear,
  bitsOutput,
  bitsProduct,
  type BitsForm,
  type BitsWeight,
} from './bits/linear.ts'
export { packBits, unpackBits } from './bits/pack.ts'
export { bitsOperands, BitsTensor } from './bits/tensor.ts'
export {
  granularityPairCodec,
  splitGranularity,
  type GranularityPair,
  type SplitGranularity,
} from './activation-granularity.ts'
export { quantizeKwargsCodec, QuantizeTensorToInt8Kwargs } from './activations.ts'
export {
  checkBlocks,
  checkGroupedShapes,
  checkGroups,
  dtypeOfScale,
  GROUP_CODECS,
  groupBlockSize,
  inFeaturesDim,
  packedDim,
  shapeOf,
  swapLastTwo,
  type BlockwiseFields,
  type BlockwiseLayout,
} from './blockwise.ts'
export {
  dynamicLinear,
  groupwiseLinear,
  staticLinear,
  weightOnlyLinear,
  type Int8ActivationQparams,
} from './coded-linear-ops.ts'
export {
  codeSums,
  multiplyColumns,
  perRow,
  scaledSums,
  weightSums,
  type CodedWeight,
} from './coded-products.ts'
export { checkFloat, quantizeToInt8, type Int8Codes, type Int8Quantization } from './int8-codes.ts'
export type { FormatClass, FromHpOptions } from './format-class.ts'
export type { Int4Codes, Int4ZeroPoint } from './int4/codes.ts'
export { float8Scales, type Float8Scales } from './int4/float8-scales.ts'
export { checkPackingFormat, packingFormatCodec } from './int4/packing-format-codec.ts'
export { groupBlockOf, type GroupBlockOptions } from './int4/group-block.ts'
export { packNibbles, unpackNibbles } from './int4/nibbles.ts'
export { packInt4, unpackInt4 } from './int4/pack.ts'
export {
  checkTinygemm,
  isInt4ActivationDType,
  type Int4ActivationDType,
  type Int4ChooseQparamsAlgorithm,
  type Int4CodedTensor,
  type Int4Float8Format,
  type Int4FromHpOptions,
  type Int4PackingFormat,
} from './int4/packing-format.ts'
export { int4PlainForm, type PlainFormOptions } from './int4/plain-form.ts'
export { flippedBits, packInt4Words, unpackInt4Words } from './int4/words.ts'
export { moveZeroPoint, valueOfMiddleCode } from './int4/zero-points.ts'
export { noTensorOption } from './no-tensor-option.ts'
export {
  dequantizeGroups,
  productOps,
  weightOpTable,
  type WeightOpTableOptions,
} from './op-table.ts'
export {
  packedViews,
  type PackedFields,
  type PackedLayout,
  type PackedPart,
  type PackedViews,
  type PartUnits,
} from './packed-views.ts'
export { skipUnlessRows } from './skip-rows.ts'
export { tensorsOn } from './tensors-on.ts'
export { blockwiseViews, type BlockwiseViews } from './views.ts'
export {
  defineDequantize,
  defineFloat8Linear,
  defineWeightLinear,
  expertsBmm,
  groupedRows,
  linearInput,
  type DequantizeOp,
  type GroupedWeight,
  type WeightLinearOp,
  type WeightOpsOptions,
} from './weight-ops.ts'
