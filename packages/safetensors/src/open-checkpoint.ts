/** @file Opening a checkpoint: a file, or a folder with one file or with shards and their index. */

import type { ByteSource, ReadOptions } from './byte-source.ts'
import { Checkpoint } from './checkpoint.ts'
import { FileError, PACKAGE, quote, refuse } from './errors.ts'
import type { CheckpointFolder } from './folder.ts'
import { INDEX_FILE, parseIndex, SINGLE_FILE, type WeightMap } from './index-file.ts'
import { openSafetensors, type SafetensorsFile } from './safetensors-file.ts'

/**
 * Opens the checkpoint in a folder: `model.safetensors`, or else the shards that
 * `model.safetensors.index.json` names. Reads headers only.
 *
 * @throws {@link FileError} when files are missing
 * @throws {@link FormatError} when a file or the index is damaged, or they contradict each other
 */
export async function openCheckpoint(
  folder: CheckpointFolder,
  options?: ReadOptions,
): Promise<Checkpoint> {
  const single = await folder.open(SINGLE_FILE, options)
  if (single) return openCheckpointFile(single, SINGLE_FILE, options)
  const index = await folder.readText(INDEX_FILE, options)
  if (index === undefined) {
    const [first, second] = [SINGLE_FILE, INDEX_FILE].map((name) => folder.whyMissing?.(name))
    const answers = [...new Set([first?.got, second?.got])].filter((got) => got !== undefined)
    throw new FileError({
      package: PACKAGE,
      expected: `${SINGLE_FILE} or ${INDEX_FILE} in ${folder.name}`,
      got: answers.length === 0 ? 'neither' : `neither: ${answers.join(', ')}`,
      cure: second?.cure ?? first?.cure ?? 'Open a file of another name with openCheckpointFile.',
    })
  }
  const weightMap = parseIndex(index, `${INDEX_FILE} in ${folder.name}`)
  const files = await openFiles(folder, [...new Set(weightMap.values())].sort(), options)
  return closeOnError(files, () => {
    const checkpoint = new Checkpoint(files, true)
    checkAgainstIndex(checkpoint, weightMap)
    return checkpoint
  })
}

/**
 * Opens one file as a checkpoint.
 *
 * @param fileName - its plain name, which a transformed checkpoint takes on
 */
export async function openCheckpointFile(
  source: ByteSource,
  fileName: string = plainName(source.name),
  options?: ReadOptions,
): Promise<Checkpoint> {
  const files = new Map([[fileName, await openSafetensors(source, options)]])
  return closeOnError(files, () => new Checkpoint(files, false))
}

function plainName(path: string): string {
  const name = path.replace(/[?#].*$/, '').replace(/^.*[/\\:]/, '')
  return name.endsWith('.safetensors') ? name : SINGLE_FILE
}

/** Opens files by name; after an error, those that were open are closed. */
export async function openFiles(
  folder: CheckpointFolder,
  fileNames: readonly string[],
  options?: ReadOptions,
): Promise<Map<string, SafetensorsFile>> {
  const files = new Map<string, SafetensorsFile>()
  try {
    for (let i = 0; i < fileNames.length; i += OPEN_AT_ONCE) {
      const batch = fileNames.slice(i, i + OPEN_AT_ONCE)
      const results = await Promise.allSettled(batch.map((name) => openFile(folder, name, options)))
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
  options?: ReadOptions,
): Promise<SafetensorsFile> {
  const source = await folder.open(fileName, options)
  if (source) return openSafetensors(source, options)
  const why = folder.whyMissing?.(fileName)
  throw new FileError({
    package: PACKAGE,
    expected: `the shard ${fileName} in ${folder.name}`,
    got: why?.got ?? 'no such file',
    cure: why?.cure ?? 'Download or write the missing shard.',
  })
}

async function closeOnError<T>(
  files: ReadonlyMap<string, SafetensorsFile>,
  make: () => T,
): Promise<T> {
  try {
    return make()
  } catch (error) {
    await closeAll(files)
    throw error
  }
}

async function closeAll(files: ReadonlyMap<string, SafetensorsFile>): Promise<void> {
  await Promise.all([...files.values()].map((file) => file.close()))
}

function checkAgainstIndex(checkpoint: Checkpoint, weightMap: WeightMap): void {
  for (const [key, fileName] of weightMap) {
    if (checkpoint.files.get(fileName)?.tensors.has(key)) continue
    refuse(
      `${quote(key)} in ${fileName}, where ${INDEX_FILE} has it`,
      'no such tensor there',
      'Index and shards are of different checkpoints, or a shard is an older one.',
    )
  }
  for (const [fileName, file] of checkpoint.files) {
    for (const key of file.tensors.keys()) {
      if (weightMap.has(key)) continue
      const message = `${quote(key)} is in ${fileName}, but not in ${INDEX_FILE}.`
      checkpoint.note({ kind: 'unindexed', name: key, message })
    }
  }
}
