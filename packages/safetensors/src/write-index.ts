/** @file Joining shards that were written apart. */

import { ValueError, takes } from '@ao/base-tensor'
import { Checkpoint } from './checkpoint.ts'
import { FileError, PACKAGE, refuse } from './errors.ts'
import { LENGTH_BYTES } from './header.ts'
import { formatIndex, INDEX_FILE, SINGLE_FILE } from './index-file.ts'
import type { CheckpointDestination } from './folder.ts'
import { openFiles, SAFETENSORS } from './open-checkpoint.ts'
import { refuseUnfinished } from './unfinished.ts'

/** Options of {@link writeIndex}. */
export interface WriteIndexOptions {
  /**
   * Names of the shards, such as those of the checkpoint that was transformed. Left out, they are
   * told from each other's names: `model-00001-of-00004.safetensors` asks for three more.
   */
  readonly expected?: readonly string[]
}

/**
 * Writes `model.safetensors.index.json` for the shards in a folder, from their headers.
 *
 * @returns names of the shards
 * @throws {@link FileError} when a shard is missing
 * @throws {@link FormatError} when shards do not belong together, or tensors are missing
 */
export async function writeIndex(
  folder: CheckpointDestination,
  options: WriteIndexOptions = {},
): Promise<readonly string[]> {
  takes('o<list:f create:f>o{expected}?', folder, options)
  const present = await folder.list()
  await refuseSingleFile(folder, present)
  const fileNames = options.expected ?? expectShards(present, folder.name)
  const files = await openFiles(folder, fileNames, SAFETENSORS)
  try {
    const checkpoint = new Checkpoint(files, INDEX_FILE)
    const incomplete = checkpoint.report.find(({ kind }) => kind === 'incomplete')
    if (incomplete) {
      refuse(
        `the shards in ${folder.name} to hold all tensors that they describe`,
        `this: ${incomplete.message.replace(/\.$/, '')}`,
        'Make all shards from one checkpoint with the same options.',
      )
    }
    const weightMap = new Map<string, string>()
    let totalSize = 0
    for (const [fileName, file] of files) {
      for (const [key, { nbytes }] of file.tensors) {
        weightMap.set(key, fileName)
        totalSize += nbytes
      }
    }
    const text = new TextEncoder().encode(formatIndex(weightMap, totalSize))
    const sink = await folder.create(INDEX_FILE, text.length)
    try {
      await sink.write(0, text)
      await sink.commit()
    } catch (error) {
      await sink.abort()
      throw error
    }
    return fileNames
  } finally {
    await Promise.all([...files.values()].map((file) => file.close()))
  }
}

/** Readers prefer `model.safetensors` to an index: it would hide the shards. */
export async function refuseSingleFile(
  folder: CheckpointDestination,
  present: readonly string[],
): Promise<void> {
  if (!present.includes(SINGLE_FILE)) return
  const source = await folder.open(SINGLE_FILE)
  try {
    if (source && source.size >= LENGTH_BYTES) {
      refuseUnfinished(await source.read(0, LENGTH_BYTES), source.name)
    }
  } finally {
    await source?.close()
  }
  throw new ValueError({
    package: PACKAGE,
    expected: `no ${SINGLE_FILE} in ${folder.name}, where shards will be written`,
    got: 'one',
    cure: 'Readers would open it instead of the shards: remove it, or choose another folder.',
  })
}

/** All names of the one set of shards in a folder, given that some are there. */
function expectShards(present: readonly string[], folder: string): readonly string[] {
  const sets = new Set<string>()
  for (const fileName of present) {
    const [, prefix, count] = /^(.+)-\d{5}-of-(\d{5})\.safetensors$/.exec(fileName) ?? []
    if (prefix !== undefined && count !== undefined) sets.add(`${prefix}/${count}`)
  }
  const [set, ...others] = [...sets]
  if (set === undefined || others.length > 0) {
    throw new FileError({
      package: PACKAGE,
      expected: `one set of shards named like model-00001-of-00004.safetensors in ${folder}`,
      got: set === undefined ? 'none' : `${sets.size}`,
      cure: 'Give their names as `expected`.',
    })
  }
  const [prefix, count] = set.split('/') as [string, string]
  for (const fileName of present) {
    const index = Number(/^.+-(\d{5})-of-\d{5}\.safetensors$/.exec(fileName)?.[1] ?? 1)
    if (index >= 1 && index <= Number(count)) continue
    throw new FileError({
      package: PACKAGE,
      expected: `shards from 1 to ${Number(count)} of ${Number(count)} in ${folder}`,
      got: fileName,
      cure: 'It is of no checkpoint: remove it, or write the shards again.',
    })
  }
  return Array.from({ length: Number(count) }, (_, i) => {
    return `${prefix}-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`
  })
}
