/** @file A folder on disk whose files are put in place one by one. */

import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkFileName, folderFrom, type CheckpointDestination } from './folder.ts'
import { attempt, unlessMissing } from './node-errors.ts'
import { fileSink, findFile } from './node-files.ts'

/** Files at `path`, without `stage`. */
export function plainDirectory(path: string): CheckpointDestination {
  return {
    ...folderFrom(path, (fileName) => findFile(join(path, fileName))),
    list: async () =>
      (await attempt(`${path} to be a readable folder`, () => unlessMissing(readdir(path)))) ?? [],
    create: async (fileName, size) => {
      checkFileName(fileName, path)
      await attempt(`${path} to be a writable folder`, () => mkdir(path, { recursive: true }))
      return fileSink(join(path, fileName), size)
    },
  }
}
