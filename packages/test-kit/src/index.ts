export {
  testFormat,
  type FormatVariant,
  type TestBase,
  type TestFormatClass,
  type TestQuantized,
  type TestTensor,
} from './conformance.ts'
export { maxAbsoluteDifference, maxRelativeToPeak, sqnr } from './measures.ts'
export { normalNumbers } from './random.ts'
export { parseRawSafetensors, type RawFile, type RawTensor } from './safetensors-reader.ts'
