export {
  MAX_DIRECTORY_BYTES,
  MAX_ENTRIES,
  MAX_EXPANSION,
  MAX_METADATA,
  MAX_PARTS,
  MAX_PICKLE_BYTES,
  MAX_PICKLE_STEPS,
} from './limits.ts'
export { torchFiles, torchFilesWith, type TorchFileOptions } from './torch-file.ts'
