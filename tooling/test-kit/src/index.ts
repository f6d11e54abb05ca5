export {
  testFormat,
  type FormatVariant,
  type TestBase,
  type TestFormatClass,
  type TestQuantized,
  type TestTensor,
} from './conformance.ts'
export {
  goldenPath,
  loadGolden,
  loadSpecGolden,
  loadTensors,
  toNumbers,
  type GoldenCase,
  type MakeTensor,
} from './golden.ts'
export { maxAbsoluteDifference, maxRelativeToPeak, sqnr } from './measures.ts'
export { normalNumbers } from './random.ts'
export { readRawSafetensors, type RawFile, type RawTensor } from './safetensors-reader.ts'
export { modelPath, sharedPath } from './shared.ts'
