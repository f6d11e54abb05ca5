export {
  mappingTypeCodec,
  quantBounds,
  type MappingType,
  type QuantBounds,
  type QuantBoundsOptions,
} from './bounds.ts'
