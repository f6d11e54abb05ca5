/** @file Files on disk, for Node. Only files whose names begin with `node` import from `node:`. */

import { takes } from '@ao/base-tensor'
import type { CheckpointDestination } from './folder.ts'
import { plainDirectory } from './node-directory.ts'
import { stageFiles } from './node-staging.ts'

export { fileErrorOf } from './node-errors.ts'
export { fileSink, fileSource } from './node-files.ts'
export { finishStagedFiles, hasUnfinishedFiles, stageFiles } from './node-staging.ts'

/** A folder on disk, to read from and write to; it is made when the first file is. */
export function directory(path: string): CheckpointDestination {
  takes('x', path)
  return { ...plainDirectory(path), stage: (options) => stageFiles(path, options) }
}
