export {
  dequantizeAffine,
  dequantizeAffineNoZeroPoint,
  quantizeAffine,
  quantizeAffineNoZeroPoint,
  type DequantizeOptions,
} from './affine.ts'
export {
  mappingTypeCodec,
  quantBounds,
  type MappingType,
  type QuantBounds,
  type QuantBoundsOptions,
} from './bounds.ts'
export {
  chooseQparamsAffine,
  chooseQparamsAffineDontPreserveZero,
  chooseQparamsAffineTinygemm,
  chooseQparamsAffineWithMinMax,
  type AffineQparams,
  type ChooseQparamsOptions,
  type QparamsOptions,
} from './choose-qparams.ts'
export {
  fakeQuantizeAffine,
  fakeQuantizeAffineCachemask,
  type CachemaskOptions,
  type FakeQuantized,
  type FakeQuantizeOptions,
  type ZeroPointDomain,
} from './fake-quantize.ts'
export { computeError } from './helpers/compute-error.ts'
export {
  getGroupwiseAffineQparams,
  groupwiseAffineDequantizeTensor,
  groupwiseAffineDequantizeTensorFromQparams,
  groupwiseAffineQuantizeTensor,
  groupwiseAffineQuantizeTensorFromQparams,
  type GroupwiseOptions,
  type GroupwiseQparamsOptions,
  type GroupwiseQuantized,
} from './helpers/groupwise-affine.ts'
export {
  getGroupQparamsSymmetric,
  groupQuantizeTensorSymmetric,
  type GroupSymmetricOptions,
} from './helpers/groupwise-symmetric.ts'
export {
  dequantizePerChannel,
  dequantizePerTensor,
  dynamicallyQuantizePerChannel,
  type QuantizedWithQparams,
} from './helpers/per-channel.ts'
export {
  perTokenDynamicQuant,
  quantizeActivationPerTokenAbsmax,
  type PerTokenDynamicQuantOptions,
  type QuantizedActivation,
} from './helpers/per-token.ts'
export { sliceScaleForDimension } from './helpers/slice-scale.ts'
export {
  packTinygemmScalesAndZeros,
  unpackTinygemmScalesAndZeros,
} from './helpers/tinygemm-scales.ts'
export { dequantizeAffineTinygemm, quantizeAffineTinygemm } from './tinygemm.ts'
export {
  quantizeInt4Groupwise,
  quantizeInt4GroupwiseSymmetric,
  type Int4Groups,
} from './int4/groupwise.ts'
export { fakeQuantizeFp8Row } from './float8-row.ts'
export {
  chooseScaleFloat8,
  dequantizeAffineFloat8,
  fakeQuantizeAffineFloat8,
  maybeExpandScaleToTensorShape,
  quantizeAffineFloat8,
  type Float8Options,
  type Float8ScaleOptions,
} from './float8.ts'
export {
  chooseQparamsAffineFloatx,
  dequantizeAffineFloatx,
  f32ToFloatxUnpacked,
  floatxUnpackedToF32,
  quantizeAffineFloatx,
} from './floatx.ts'
export { chooseQparamsGguf, dequantizeGguf, quantizeGguf, type GgufQparams } from './gguf.ts'
export { chooseQparamsAndQuantizeAffineHqq, type HqqOptions, type HqqQuantized } from './hqq.ts'
export {
  optimizeWeightsProximalLegacy,
  type HqqGroups,
  type HqqOptimizer,
  type HqqSolution,
  type ProximalOptions,
} from './hqq-optimizer.ts'
export {
  chooseQparamsAndQuantizeScaleOnlyHqq,
  type ScaleOnlyHqqOptions,
  type ScaleOnlyQuantized,
} from './hqq-scale-only.ts'
export {
  chooseQparamsAndQuantizeScaleOnlySinq,
  type SinqOptions,
  type SinqQuantized,
} from './sinq.ts'
