/** @file A folder on disk whose files are put in place one by one. */

import { mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkFileName, folderFrom, type CheckpointDestination } from './folder.ts'
import { attempt, codeOf, unlessMissing } from './node-errors.ts'
import { fileSink, findFile } from './node-files.ts'

/** Files at `path`, without `stage`. */
export function plainDirectory(path: string): CheckpointDestination {
  return {
    ...folderFrom(path, (fileName) => findFile(join(path, fileName))),
    list: async () =>
      (await attempt(`${path} to be a readable folder`, () => unlessMissing(readdir(path)))) ?? [],
    create: async (fileName, size) => {
      checkFileName(fileName, path)
      await attempt(`${path} to be a writable folder`, () => makeFolder(path))
      return fileSink(join(path, fileName), size)
    },
  }
}

/**
 * Makes a folder and those that it lies in. Unlike `mkdir` of Node, which says ENOENT for a disk that is
 * read-only, it throws what the system says.
 *
 * @returns the outermost folder that was made; undefined where all were there
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  const parent = dirname(path)
  try {
    await mkdir(path)
    return path
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && parent !== path) {
      const made = await makeFolder(parent)
      await mkdir(path)
      return made ?? path
    }
    // Of a folder that is there, some systems say that it cannot be made here.
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return undefined
    throw error
  }
}
