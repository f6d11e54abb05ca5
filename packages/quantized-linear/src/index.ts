export type { Int4Codes, Int4ZeroPoint } from './int4/codes.ts'
export {
  catGroups,
  selectGroups,
  sliceGroups,
  squeezeGroups,
  transposeGroups,
  unsqueezeGroups,
  viewGroups,
} from './int4/grouped-views.ts'
export {
  checkGroupedShapes,
  checkGroups,
  dtypeOfScale,
  groupBlockSize,
  groupedBmm,
  groupedLinearInput,
  packedDim,
  type Int4GroupedFields,
} from './int4/grouped-weight.ts'
export {
  checkTinygemm,
  isInt4ActivationDType,
  type Int4ActivationDType,
  type Int4ChooseQparamsAlgorithm,
  type Int4FromHpOptions,
  type Int4PackingFormat,
} from './int4/packing-format.ts'
