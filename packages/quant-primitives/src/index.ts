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
