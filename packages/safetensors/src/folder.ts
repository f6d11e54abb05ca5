/** @file Folders that hold a checkpoint's files: its shards, their index, `config.json`. */

import { takes } from '@ao/base-tensor'
import { bytesSource, blobSource, type ByteSource, type ReadOptions } from './byte-source.ts'
import type { ByteSink } from './byte-sink.ts'
import { FileError, PACKAGE, quote, refuse } from './errors.ts'
import { MAX_HEADER_BYTES } from './limits.ts'
import { decodeUtf8 } from './strict-json.ts'
import { pageCure, type MissingReason } from './http-answer.ts'
import { withoutQuery } from './http-attempt.ts'
import { isLfsPointer, LFS_CURE, LFS_POINTER } from './file-kinds.ts'
import { checkUrlOptions, textOfUrl, findUrlSource, type UrlOptions } from './url-source.ts'

/** Files by name. Names are plain: a folder does not reach into others. */
export interface CheckpointFolder {
  /** For messages: a path or URL. */
  readonly name: string
  /** The file of that name, or undefined where there is none. */
  open(fileName: string, options?: ReadOptions): Promise<ByteSource | undefined>
  /**
   * The text of a small file such as `config.json`, without a byte order mark, or undefined where there is
   * none.
   */
  readText(fileName: string, options?: ReadOptions): Promise<string | undefined>
  /** For a file that was not found: what a server answered, and what to do about it. */
  whyMissing?(fileName: string): MissingReason | undefined
}

/** A folder that can be written to. */
export interface CheckpointDestination extends CheckpointFolder {
  /** Names of the files that are there. */
  list(): Promise<string[]>
  /** Starts a file of `size` bytes. It shows under its name once committed. */
  create(fileName: string, size: number): Promise<ByteSink>
  /** Starts files that appear together, where the folder can do that. */
  stage?(options?: StageOptions): Promise<StagedFiles>
}

/** Options of {@link CheckpointDestination.stage}. */
export interface StageOptions {
  /**
   * Lets several processes write into a folder at once: those of one `group`, each a `member` of its own.
   * Left out, there is one at a time.
   */
  readonly sharing?: { readonly group: string; readonly member: string } | undefined
}

/** Options of {@link StagedFiles.commit}. */
export interface CommitOptions {
  /**
   * Which files of the folder go away, of those that are there; files that are new stay. It is called while no
   * other process changes the folder.
   */
  readonly remove?: (present: readonly string[]) => readonly string[] | Promise<readonly string[]>
}

/** Files of a folder that are being made. Sinks that are committed are complete, and do not show yet. */
export interface StagedFiles extends CheckpointDestination {
  /**
   * Puts all files in place. A process that ends on the way leaves the folder as it was, or one that readers
   * refuse until `finishStagedFiles` or the next `stage` completes it.
   */
  commit(options?: CommitOptions): Promise<void>
  /** Drops the files; the folder stays as it was. Waits for a `commit`, and does nothing after it. */
  discard(): Promise<void>
}

/** The folder whose files `open` finds. Names have been checked when it is called. */
export function folderFrom(name: string, open: CheckpointFolder['open']): CheckpointFolder {
  const openChecked: CheckpointFolder['open'] = async (fileName, options) => {
    checkFileName(fileName, name)
    return open(fileName, options)
  }
  return {
    name,
    open: openChecked,
    readText: async (fileName, options) => {
      const source = await openChecked(fileName, options)
      return source && readText(source, options)
    },
  }
}

/** Files in memory; also a destination, so that tests and browsers can write there. */
export function memoryFolder(
  files: Map<string, Uint8Array> = new Map(),
  name = 'memory',
): CheckpointDestination {
  const folder = folderFrom(name, async (fileName) => {
    const bytes = files.get(fileName)
    return bytes && bytesSource(bytes, fileName)
  })
  return {
    ...folder,
    list: async () => [...files.keys()],
    create: async (fileName, size) => {
      checkFileName(fileName, name)
      return memorySink(fileName, size, (bytes) => files.set(fileName, bytes))
    },
  }
}

function memorySink(name: string, size: number, put: (bytes: Uint8Array) => void): ByteSink {
  let bytes = new Uint8Array(size)
  return {
    name,
    write: async (offset, part) => bytes.set(part, offset),
    commit: async () => put(bytes),
    abort: async () => {
      bytes = new Uint8Array(0)
    },
  }
}

/** Files of a picker or drop. Of a picked folder, only the files that lie directly in it are seen. */
export function blobFolder(files: Iterable<File>, name = 'picked files'): CheckpointFolder {
  const byName = new Map<string, File>()
  takes('i', files)
  for (const file of files) {
    takes('o<name:x slice:f>', file)
    const path = file.webkitRelativePath || file.name
    if (path.split('/').length <= 2) byName.set(file.name, file)
  }
  return folderFrom(name, async (fileName) => {
    const file = byName.get(fileName)
    return file && blobSource(file)
  })
}

/**
 * A folder on a server, such as `https://huggingface.co/<owner>/<model>/resolve/main`.
 *
 * @param baseUrl - with or without a slash at its end; a query goes with every file
 * @throws {@link ValueError} for options that there are not
 */
export function urlFolder(baseUrl: string | URL, options: UrlOptions = {}): CheckpointFolder {
  checkUrlOptions(options)
  const [, path = '', query = ''] = /^([^?#]*)(\?[^#]*)?/.exec(textOfUrl(baseUrl)) ?? []
  const base = path.replace(/\/*$/, '/')
  const missing = new Map<string, MissingReason>()
  const folder = folderFrom(withoutQuery(base + query), async (fileName, readOptions) => {
    // Other files than weights are small, and servers that make or compress them know no ranges of them.
    const small = !/\.(safetensors|bin|pth?)$/.test(fileName)
    const found = await findUrlSource(
      base + encodeURIComponent(fileName) + query,
      small ? { ...options, withoutRanges: 'download' } : options,
      readOptions,
      small ? MAX_HEADER_BYTES : undefined,
    )
    if (!('absent' in found)) return found
    missing.set(fileName, { ...found.absent, cure: pageCure(base) ?? found.absent.cure })
    return undefined
  })
  return { ...folder, whyMissing: (fileName) => missing.get(fileName) }
}

/** @throws {@link FormatError} for names that would reach out of their folder */
export function checkFileName(fileName: string, folder: string): void {
  if (/^[^/\\:\0]+$/.test(fileName) && fileName !== '.' && fileName !== '..') return
  refuse(
    `a plain file name in ${folder}`,
    quote(fileName),
    'Names with a path in them are refused: an index must not point out of its folder.',
  )
}

async function readText(source: ByteSource, options?: ReadOptions): Promise<string> {
  try {
    if (source.size > MAX_HEADER_BYTES) {
      throw new FileError({
        package: PACKAGE,
        expected: `${source.name} to have at most ${MAX_HEADER_BYTES} bytes`,
        got: String(source.size),
      })
    }
    const text = decodeUtf8(await source.read(0, source.size, options), source.name)
    if (isLfsPointer(text)) refuse(`the text of ${source.name}`, LFS_POINTER, LFS_CURE)
    return text.replace(/^\uFEFF/, '')
  } finally {
    await source.close()
  }
}
