/** @file What the files of a checkpoint hold together. */

import type { CheckpointFile, CheckpointNote } from './checkpoint-file.ts'
import { quote, refuse } from './errors.ts'
import type { FileDType } from './file-dtype.ts'
import { pythonJson } from './python-json.ts'
import { readTensorNames, TENSOR_NAMES } from './torchao-metadata.ts'

/** Files of a checkpoint by their plain names. */
export type CheckpointFiles = ReadonlyMap<string, CheckpointFile>

/** A tensor in one of them. */
export interface StoredTensor {
  /** Its name in the file. */
  readonly key: string
  readonly fileName: string
  readonly dtype: FileDType
  readonly shape: readonly number[]
  readonly nbytes: number
}

/**
 * The metadata of all files. `tensor_names` becomes the list of all tensors: shards may each list
 * their own, or all of the checkpoint's, as those of torchao do.
 *
 * @param note - told of a key with two values; the first value counts
 * @throws {@link FormatError} when two files describe one tensor differently
 */
export function mergeMetadata(
  files: CheckpointFiles,
  note: (note: CheckpointNote) => void,
): ReadonlyMap<string, string> {
  const merged = new Map<string, string>()
  const names = new Set<string>()
  for (const file of files.values()) {
    for (const name of readTensorNames(file.metadata, file.name)) names.add(name)
  }
  for (const [fileName, file] of files) {
    for (const [key, value] of file.metadata) {
      const first = merged.get(key)
      if (first === undefined) merged.set(key, value)
      if (first === undefined || first === value || key === TENSOR_NAMES) continue
      if (names.has(key)) {
        refuse(
          `one description of ${quote(key)} in all shards`,
          `another one in ${fileName}`,
          'Shards of different checkpoints are mixed up: write them again.',
        )
      }
      const message = `Metadata ${quote(key)} is ${quote(first)}, but ${quote(value)} in ${fileName}.`
      note({ kind: 'metadata-conflict', name: key, message })
    }
  }
  if (merged.has(TENSOR_NAMES)) merged.set(TENSOR_NAMES, pythonJson([...names]))
  return merged
}

/**
 * Every stored tensor, by key.
 *
 * @throws {@link FormatError} when two files have one key
 */
export function findStored(files: CheckpointFiles): ReadonlyMap<string, StoredTensor> {
  const keys = new Map<string, StoredTensor>()
  for (const [fileName, file] of files) {
    for (const [key, { dtype, shape, nbytes }] of file.tensors) {
      const other = keys.get(key)
      if (other) {
        refuse(
          'each tensor in one shard',
          `${quote(key)} in ${other.fileName} and in ${fileName}`,
          'Shards of different checkpoints may be mixed up: write them again.',
        )
      }
      keys.set(key, { key, fileName, dtype, shape, nbytes })
    }
  }
  return keys
}
