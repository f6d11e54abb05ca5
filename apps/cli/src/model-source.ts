/** @file What `<model>` on the command line stands for: a folder, a file or a URL. */

import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import {
  FileError,
  openCheckpoint,
  openCheckpointFile,
  urlFolder,
  urlSource,
  type ByteSource,
  type Checkpoint,
  type CheckpointFolder,
} from '@ao/safetensors'
import { directory, fileSource } from '@ao/safetensors/node'
import type { Command } from 'commander'
import { checkWeightFiles, otherWeights } from './other-weights.ts'

export interface ModelSource {
  /** As given. */
  readonly name: string
  /** The path on this machine; undefined for URLs. */
  readonly path: string | undefined
  /** The folder with config.json and the like; undefined for a single file. */
  readonly folder: CheckpointFolder | undefined
  /**
   * Reads the headers of its safetensors files.
   *
   * @param fileName - what a single file is called in the checkpoint; its own name unless given
   */
  open(fileName?: string): Promise<Checkpoint>
}

/** Options of a command that reads a model. */
export interface SourceArguments {
  /** Loads whole files from a server that ignores range requests. */
  readonly withoutRanges?: boolean
}

/** Adds `--without-ranges`. */
export function addSourceOptions(command: Command): Command {
  return command.option(
    '--without-ranges',
    'load whole files into memory from a server that knows no range requests',
  )
}

/**
 * @param source - a folder in Hugging Face layout, a .safetensors file, or an http(s) URL of either
 * @param signal - ends reading, down to each request
 * @throws {@link FileError} where there is nothing
 */
export async function openModelSource(
  source: string,
  { withoutRanges = false }: SourceArguments,
  { signal }: { readonly signal: AbortSignal },
): Promise<ModelSource> {
  if (/^https?:\/\//i.test(source)) {
    const options = { signal, ...(withoutRanges ? { withoutRanges: 'download' as const } : {}) }
    return /^[^?#]*\.safetensors(?:[?#]|$)/i.test(source)
      ? ofFile(source, undefined, () => urlSource(source, options))
      : ofFolder(source, undefined, urlFolder(source, options))
  }
  const found = await stat(source).catch(() => undefined)
  if (found?.isDirectory() === true) return ofFolder(source, source, directory(source))
  if (found?.isFile() === true && source.endsWith('.safetensors')) {
    return ofFile(source, source, () => fileSource(source))
  }
  const other = found?.isFile() === true ? otherWeights(source) : undefined
  if (other) {
    const expected = 'a folder with a model, or a .safetensors file'
    const got = `${source}: ${other.kind}`
    throw new FileError({ package: '@ao/cli', expected, got, cure: other.cure })
  }
  throw new FileError({
    package: '@ao/cli',
    expected: 'a folder with a model, a .safetensors file or an http(s) URL',
    got: found ? `${source}, a file of another kind` : `${source}, which does not exist`,
    cure: /^file:/i.test(source)
      ? 'Pass the path itself, without file://.'
      : 'Check the path; names of models on a hub must be downloaded or given as a URL.',
  })
}

/** The folder of a whole model; a single file has no config.json and no tokenizer. */
export async function openModelFolder(
  source: string,
  args: SourceArguments,
  context: { readonly signal: AbortSignal },
): Promise<CheckpointFolder> {
  const { folder } = await openModelSource(source, args, context)
  if (folder) return folder
  throw new FileError({
    package: '@ao/cli',
    expected: 'a folder with config.json, tokenizer.json and weights',
    got: source,
    cure: `Pass the folder that ${basename(source)} is in.`,
  })
}

function ofFolder(name: string, path: string | undefined, folder: CheckpointFolder): ModelSource {
  return {
    ...{ name, path, folder },
    open: async () => {
      if (path !== undefined) await checkWeightFiles(path)
      return openCheckpoint(folder)
    },
  }
}

function ofFile(
  name: string,
  path: string | undefined,
  open: () => Promise<ByteSource>,
): ModelSource {
  return {
    ...{ name, path, folder: undefined },
    open: async (fileName) => openCheckpointFile(await open(), fileName),
  }
}
