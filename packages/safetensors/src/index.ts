export type { ByteSink } from './byte-sink.ts'
export { blobSource, bytesSource, type ByteSource, type ReadOptions } from './byte-source.ts'
export type {
  CheckpointFile,
  CheckpointNote,
  FileKind,
  FileKindOptions,
} from './checkpoint-file.ts'
export type { CheckpointFiles, StoredTensor } from './checkpoint-files.ts'
export { Checkpoint, type EntriesOptions, type TensorInfo, type TensorPart } from './checkpoint.ts'
export { FileError } from './errors.ts'
export { storedDTypeOf, type FileDType } from './file-dtype.ts'
export {
  flattenTensorStateDict,
  type FlattenedStateDict,
  type UnknownAttributes,
} from './flatten.ts'
export {
  blobFolder,
  folderFrom,
  memoryFolder,
  urlFolder,
  type CheckpointDestination,
  type CheckpointFolder,
  type CommitOptions,
  type StagedFiles,
  type StageOptions,
} from './folder.ts'
export { otherKindOf } from './file-kinds.ts'
export type { FileTensor, Header } from './header.ts'
export { planLayout, type FileLayout, type PlannedTensor } from './layout.ts'
export { MAX_HEADER_BYTES, MAX_JSON_DEPTH, MAX_RANK, MAX_TENSORS } from './limits.ts'
export { openCheckpoint, openCheckpointFile } from './open-checkpoint.ts'
export { openSafetensors, SafetensorsFile } from './safetensors-file.ts'
export type { ByteRange } from './read-ahead.ts'
export type { FetchOptions, MissingReason } from './http-answer.ts'
export type { RetryOptions } from './http-attempt.ts'
export { pythonJson } from './python-json.ts'
export { parsePythonJson } from './strict-json.ts'
export { isMetadataTorchao, partKey, type TensorDescription } from './torchao-metadata.ts'
export type { TensorTransform } from './transform-plan.ts'
export {
  copyCheckpoint,
  transformCheckpoint,
  type TransformOptions,
  type TransformProgress,
  type TransformReport,
} from './transform.ts'
export {
  unflattenTensorStateDict,
  type FormatOptions,
  type UnflattenedStateDict,
} from './unflatten.ts'
export { urlSource, type UrlOptions } from './url-source.ts'
export { writeIndex, type WriteIndexOptions } from './write-index.ts'
export {
  serializeSafetensors,
  writeSafetensors,
  type DenseEntries,
  type Metadata,
} from './write.ts'
