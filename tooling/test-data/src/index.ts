export {
  goldenPath,
  loadGolden,
  loadSpecGolden,
  loadTensors,
  readRawSafetensors,
  toNumbers,
  type GoldenCase,
  type MakeTensor,
} from './golden.ts'
export { modelPath, sharedPath } from './models.ts'
