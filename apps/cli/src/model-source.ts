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
import { fileKinds, TENSOR_FILE } from './formats.ts'
import { checkWeightFiles, otherWeights } from './other-weights.ts'

export interface ModelSource {
  /** As given. */
  readonly name: string
  /** The path on this machine; undefined for URLs. */
  readonly path: string | undefined
  /** The folder with config.json and the like; undefined for a single file. */
  readonly folder: CheckpointFolder | undefined
  /**
   * Reads the headers of its weight files.
   *
   * @param fileName - what a single file is called in the checkpoint; its own name unless given
   */
  open(fileName?: string): Promise<Checkpoint>
}

/** Options of a command that reads a model. */
export interface SourceArguments {
  /** Loads whole files from a server that ignores range requests. */
  readonly withoutRanges?: boolean
  /** Key of the state dict in a file of PyTorch that holds several. */
  readonly stateDict?: string
}

/** Adds `--without-ranges` and `--state-dict`. */
export function addSourceOptions(command: Command): Command {
  return command
    .option(
      '--without-ranges',
      'load whole files into memory from a server that knows no range requests',
    )
    .option('--state-dict <key>', 'which state dict to read of a .pt file that holds several')
}

/**
 * @param source - a folder in Hugging Face layout, a .safetensors, .bin, .pt or .pth file, or an http(s) URL of
 * either
 * @param signal - ends reading, down to each request
 * @throws {@link FileError} where there is nothing
 */
export async function openModelSource(
  source: string,
  args: SourceArguments,
  { signal }: { readonly signal: AbortSignal },
): Promise<ModelSource> {
  const { withoutRanges = false } = args
  if (/^https?:\/\//i.test(source)) {
    const options = { signal, ...(withoutRanges ? { withoutRanges: 'download' as const } : {}) }
    return TENSOR_FILE.test(source.replace(/[?#].*$/, ''))
      ? ofFile(source, undefined, () => urlSource(source, options), args)
      : ofFolder(source, undefined, urlFolder(source, options), args)
  }
  const found = await stat(source).catch(() => undefined)
  if (found?.isDirectory() === true) return ofFolder(source, source, directory(source), args)
  if (found?.isFile() === true && TENSOR_FILE.test(source)) {
    return ofFile(source, source, () => fileSource(source), args)
  }
  const other = found?.isFile() === true ? otherWeights(source) : undefined
  if (other) {
    const expected = 'a folder with a model, or a .safetensors, .bin, .pt or .pth file'
    const got = `${source}: ${other.kind}`
    throw new FileError({ package: '@ao/cli', expected, got, cure: other.cure })
  }
  throw new FileError({
    package: '@ao/cli',
    expected: 'a folder with a model, a .safetensors, .bin, .pt or .pth file or an http(s) URL',
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

function ofFolder(
  name: string,
  path: string | undefined,
  folder: CheckpointFolder,
  args: SourceArguments,
): ModelSource {
  return {
    ...{ name, path, folder },
    open: async () => {
      if (path !== undefined) await checkWeightFiles(path)
      return openCheckpoint(folder, { fileKinds: fileKinds(args) })
    },
  }
}

function ofFile(
  name: string,
  path: string | undefined,
  open: () => Promise<ByteSource>,
  args: SourceArguments,
): ModelSource {
  return {
    ...{ name, path, folder: undefined },
    open: async (fileName) =>
      openCheckpointFile(await open(), fileName, { fileKinds: fileKinds(args) }),
  }
}
