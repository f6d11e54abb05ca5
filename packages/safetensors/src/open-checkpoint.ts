/** @file Opening a checkpoint: a file, or a folder with one file or with shards and their index. */

import { takes } from '@ao/base-tensor'
import type { ByteSource, ReadOptions } from './byte-source.ts'
import type { CheckpointFile, FileKind, FileKindOptions } from './checkpoint-file.ts'
import type { CheckpointFiles } from './checkpoint-files.ts'
import { Checkpoint } from './checkpoint.ts'
import { FileError, PACKAGE, quote, refuse } from './errors.ts'
import type { CheckpointFolder } from './folder.ts'
import { INDEX_FILE, parseIndex, SINGLE_FILE, type WeightMap } from './index-file.ts'
import { LENGTH_BYTES } from './header.ts'
import { openSafetensors } from './safetensors-file.ts'

/** The kind that is always looked for, and first. */
export const SAFETENSORS: FileKind = {
  singleFile: SINGLE_FILE,
  indexFile: INDEX_FILE,
  recognizes: () => true,
  open: (source, _, options) => openSafetensors(source, options),
}

/**
 * Opens the checkpoint in a folder: `model.safetensors`, or else the shards that
 * `model.safetensors.index.json` names; or else files of the other `fileKinds`. Reads headers only.
 *
 * @throws {@link FileError} when files are missing
 * @throws {@link FormatError} when a file or the index is damaged, or they contradict each other
 */
export async function openCheckpoint(
  folder: CheckpointFolder,
  options: ReadOptions & FileKindOptions = {},
): Promise<Checkpoint> {
  takes('o<open:f readText:f>o', folder, options)
  const kinds = [SAFETENSORS, ...(options.fileKinds ?? [])]
  for (const kind of kinds) {
    const { singleFile, indexFile } = kind
    const single = await folder.open(singleFile, options)
    if (single) return openSingle(kind, single, singleFile, options)
    const index = await folder.readText(indexFile, options)
    if (index !== undefined) return openShards(folder, kind, index, options)
  }
  const names = kinds.flatMap(({ singleFile, indexFile }) => [singleFile, indexFile])
  const missing = names.map((name) => folder.whyMissing?.(name))
  const answers = [...new Set(missing.map((why) => why?.got))].filter((got) => got !== undefined)
  const none = names.length === 2 ? 'neither' : 'none'
  throw new FileError({
    package: PACKAGE,
    expected: `${names.slice(0, -1).join(', ')} or ${names.at(-1)} in ${folder.name}`,
    got: answers.length === 0 ? none : `${none}: ${answers.join(', ')}`,
    cure:
      missing.findLast((why) => why?.cure !== undefined)?.cure ??
      'Open a file of another name with openCheckpointFile.',
  })
}

/**
 * Opens one file as a checkpoint. Of which kind it is, its first bytes tell.
 *
 * @param fileName - its plain name, which a transformed checkpoint takes on
 */
export async function openCheckpointFile(
  source: ByteSource,
  fileName?: string,
  options: ReadOptions & FileKindOptions = {},
): Promise<Checkpoint> {
  takes('o<read:f size:n close:f>x?o', source, fileName, options)
  const kind = await kindOf(source, options)
  return openSingle(kind, source, fileName ?? plainName(source.name, kind), options)
}

async function kindOf(
  source: ByteSource,
  options: ReadOptions & FileKindOptions,
): Promise<FileKind> {
  const { fileKinds = [] } = options
  if (fileKinds.length === 0 || source.size < LENGTH_BYTES) return SAFETENSORS
  try {
    const start = await source.read(0, LENGTH_BYTES, options)
    return fileKinds.find((kind) => kind.recognizes(start)) ?? SAFETENSORS
  } catch (error) {
    await source.close()
    throw error
  }
}

function plainName(path: string, kind: FileKind): string {
  const name = path.replace(/[?#].*$/, '').replace(/^.*[/\\:]/, '')
  const end = kind.singleFile.replace(/^.*(?=\.)/, '')
  return name.endsWith(end) || (kind !== SAFETENSORS && name.includes('.')) ? name : kind.singleFile
}

async function openSingle(
  kind: FileKind,
  source: ByteSource,
  fileName: string,
  options: ReadOptions,
): Promise<Checkpoint> {
  const files = new Map([[fileName, await kind.open(source, fileName, options)]])
  return closeOnError(files, () => new Checkpoint(files))
}

async function openShards(
  folder: CheckpointFolder,
  kind: FileKind,
  index: string,
  options: ReadOptions,
): Promise<Checkpoint> {
  const { indexFile } = kind
  const weightMap = parseIndex(index, `${indexFile} in ${folder.name}`)
  const files = await openFiles(folder, [...new Set(weightMap.values())].sort(), kind, options)
  return closeOnError(files, () => {
    const checkpoint = new Checkpoint(files, indexFile)
    checkAgainstIndex(checkpoint, weightMap, indexFile)
    return checkpoint
  })
}

/** Opens files by name; after an error, those that were open are closed. */
export async function openFiles(
  folder: CheckpointFolder,
  fileNames: readonly string[],
  kind: FileKind,
  options?: ReadOptions,
): Promise<Map<string, CheckpointFile>> {
  const files = new Map<string, CheckpointFile>()
  try {
    for (let i = 0; i < fileNames.length; i += OPEN_AT_ONCE) {
      const batch = fileNames.slice(i, i + OPEN_AT_ONCE)
      const results = await Promise.allSettled(
        batch.map((name) => openFile(folder, name, kind, options)),
      )
      results.forEach((result, j) => {
        if (result.status === 'fulfilled') files.set(batch[j] as string, result.value)
      })
      const failure = results.find((result) => result.status === 'rejected')
      if (failure) throw failure.reason
    }
    return files
  } catch (error) {
    await closeAll(files)
    throw error
  }
}

// Enough to hide a server's latency.
const OPEN_AT_ONCE = 8

async function openFile(
  folder: CheckpointFolder,
  fileName: string,
  kind: FileKind,
  options?: ReadOptions,
): Promise<CheckpointFile> {
  const source = await folder.open(fileName, options)
  if (source) return kind.open(source, fileName, options)
  const why = folder.whyMissing?.(fileName)
  throw new FileError({
    package: PACKAGE,
    expected: `the shard ${fileName} in ${folder.name}`,
    got: why?.got ?? 'no such file',
    cure: why?.cure ?? 'Download or write the missing shard.',
  })
}

async function closeOnError<T>(files: CheckpointFiles, make: () => T): Promise<T> {
  try {
    return make()
  } catch (error) {
    await closeAll(files)
    throw error
  }
}

async function closeAll(files: CheckpointFiles): Promise<void> {
  await Promise.all([...files.values()].map((file) => file.close()))
}

function checkAgainstIndex(checkpoint: Checkpoint, weightMap: WeightMap, indexFile: string): void {
  for (const [fileName, file] of checkpoint.files) {
    const names = new Set<string>()
    for (const key of file.tensors.keys()) {
      const name = file.indexName?.(key) ?? key
      names.add(name)
      if (weightMap.has(name)) continue
      const message = `${quote(name)} is in ${fileName}, but not in ${indexFile}.`
      checkpoint.note({ kind: 'unindexed', name, message })
    }
    for (const [name, shard] of weightMap) {
      if (shard !== fileName || names.has(name)) continue
      refuse(
        `${quote(name)} in ${fileName}, where ${indexFile} has it`,
        'no such tensor there',
        'Index and shards are of different checkpoints, or a shard is an older one.',
      )
    }
  }
}
