export type {
  FormatVariant,
  TestBase,
  TestFormatClass,
  TestParts,
  TestQuantized,
  TestTensor,
} from './contracts.ts'
export { expectSameExtremes, testExtremes } from './extremes.ts'
export { maxAbsoluteDifference, maxRelativeToPeak, sqnr } from './measures.ts'
export { normalNumbers } from './random.ts'
export { parseRawSafetensors, type RawFile, type RawTensor } from './safetensors-reader.ts'
export { testFormat } from './test-format.ts'
