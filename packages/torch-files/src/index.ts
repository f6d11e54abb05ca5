export { MAX_DIRECTORY_BYTES, MAX_EXPANSION, MAX_PICKLE_BYTES, MAX_PICKLE_STEPS } from './limits.ts'
export { torchFiles, torchFilesWith, type TorchFileOptions } from './torch-file.ts'
