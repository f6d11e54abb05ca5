/**
 * @file The folder that `ao quantize` writes.
 *
 * Its record, `ao-quantize.json`, tells later runs that the folder is theirs to replace, and how its parts
 * were made. Files come into it together: see `stageFiles` of `@ao/safetensors/node`.
 */

import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AoError, isJsonObject, type Json } from '@ao/base-tensor'
import { type CheckpointDestination, type StagedFiles } from '@ao/safetensors'
import { directory, hasUnfinishedFiles, stageFiles } from '@ao/safetensors/node'
import { writeFile } from './side-files.ts'
import {
  formatPart,
  formatRecord,
  isSameRun,
  PART_FILE,
  partFileOf,
  readRecord,
  RECORD_FILE,
  type RunRecord,
  type Shard,
} from './run-record.ts'

/** An output folder that cannot be used as it is. */
export class OutputFolderError extends AoError {
  static override readonly errorName: string = 'OutputFolderError'
}

export interface OutputFolderOptions {
  /** Write into a folder that holds something else. */
  readonly force: boolean
  /** The folder or file that is read; never written to. */
  readonly input: string | undefined
  /** How the files are made: equal for all parts of one checkpoint. */
  readonly run: RunRecord['run']
  /** The part that this run makes, where it makes some of the folder's files only. */
  readonly part: Shard | undefined
}

/** What a run takes the place of. */
export interface Replaced {
  /** The config of the earlier result; null where it was none of `ao quantize`. */
  readonly config: Json
  /** Files that are gone, and have no successor. */
  readonly removed: readonly string[]
}

/** What came of a commit. */
export interface Committed {
  /** Names of the files that are in place, sorted. */
  readonly files: readonly string[]
  /** Undefined where there was nothing to replace. */
  readonly replaced: Replaced | undefined
}

export interface OutputFolder {
  /** Where files are made until {@link OutputFolder.commit}. */
  readonly staged: StagedFiles
  /**
   * Puts all made files in place; those of an earlier run go away.
   *
   * @param weights - names of all weight files and of their index, those of other parts, too
   * @param shards - names of the weight files that this run made
   */
  commit(weights: readonly string[], shards: readonly string[]): Promise<Committed>
  /** Drops what was made; the folder is as it was. Does nothing after `commit`. */
  discard(): Promise<void>
}

/**
 * Makes `path` ready to be written to.
 *
 * @throws {@link OutputFolderError} when it is the input, or holds something else than an earlier run's
 * files, or parts that were made in another way
 */
export async function openOutputFolder(
  path: string,
  options: OutputFolderOptions,
): Promise<OutputFolder> {
  const { part, run, force } = options
  await refuseInput(path, options.input)
  const folder = directory(path)
  if (!(await hasUnfinishedFiles(path)) && !force) await checkOwnership(folder, part && run)
  const sharing = part && { group: JSON.stringify([part.count, run]), member: String(part.index) }
  const staged = await stageFiles(path, { sharing })
  try {
    if (!force) await checkOwnership(folder, part && run)
    return output(folder, staged, options)
  } catch (error) {
    await staged.discard()
    throw error
  }
}

function output(
  folder: CheckpointDestination,
  staged: StagedFiles,
  { run, part }: OutputFolderOptions,
): OutputFolder {
  return {
    staged,
    async commit(weights, shards) {
      const before = await readRecord(folder)
      const isOfRun = (record: RunRecord | undefined): boolean =>
        part !== undefined && record !== undefined && isSameRun(record.run, run)
      const files = new Set([...(await staged.list()), ...weights, RECORD_FILE])
      if (isOfRun(before)) for (const name of before?.files ?? []) files.add(name)
      await writeFile(staged, RECORD_FILE, formatRecord({ run, files: [...files] }))
      if (part) await writeFile(staged, partFileOf(part), formatPart({ part, shards, run }))
      const made = (await staged.list()).sort()
      let replaced: Replaced | undefined
      await staged.commit({
        remove: async (present) => {
          // Another part may have come into place meanwhile, and with it the record.
          const older = await readRecord(folder)
          const isStale = (name: string): boolean =>
            isOfRun(older)
              ? isIndex(name)
              : isWeights(name) || PART_FILE.test(name) || older?.files.includes(name) === true
          const removed = present.filter((name) => isStale(name) && !made.includes(name))
          const isNew = isOfRun(older) || (older === undefined && !present.some(isWeights))
          replaced = isNew ? undefined : { config: older?.run['config'] ?? null, removed }
          return removed
        },
      })
      return { files: made, replaced }
    },
    discard: () => staged.discard(),
  }
}

/** One line about what is gone. */
export function describeReplaced({ config, removed }: Replaced): string {
  const type = isJsonObject(config) ? config['_type'] : undefined
  const what = typeof type === 'string' ? `an earlier result (${type})` : 'what was there'
  return `replaced ${what}${removed.length === 0 ? '' : `; removed ${removed.join(', ')}`}`
}

/** Whether a file of that name holds weights that readers of safetensors find. */
function isWeights(name: string): boolean {
  return name.endsWith('.safetensors') || isIndex(name)
}

function isIndex(name: string): boolean {
  return name.endsWith('.safetensors.index.json')
}

async function refuseInput(path: string, input: string | undefined): Promise<void> {
  if (input === undefined) return
  const real = await realpath(input)
  const folder = (await stat(real)).isDirectory() ? real : dirname(real)
  const existing = await realpath(path).catch(() => undefined)
  if (existing !== folder) return
  throw refusal('--out to be apart from the input', path, 'Choose another --out.')
}

async function checkOwnership(
  folder: CheckpointDestination,
  run: RunRecord['run'] | undefined,
): Promise<void> {
  const entries = await folder.list()
  const older = await readRecord(folder)
  if (older === undefined) {
    const foreign = entries.filter((name) => !name.startsWith('.ao-') && !PART_FILE.test(name))
    if (foreign.length === 0 || (await hasUnfinishedFiles(folder.name))) return
    const names = foreign.length > 3 ? [...foreign.slice(0, 3), '...'] : foreign
    throw refusal(
      '--out to be new, empty or written by ao quantize',
      `${folder.name} with ${names.join(', ')}`,
      'Choose another --out, or pass --force to replace its weights.',
    )
  }
  if (run === undefined || isSameRun(older.run, run)) return
  throw refusal(
    `all parts in ${folder.name} to be made with the same options from the same input`,
    `others than its ${RECORD_FILE} says`,
    'Choose another --out, or pass --force and make all parts again.',
  )
}

function refusal(expected: string, got: string, cure: string): OutputFolderError {
  return new OutputFolderError({ package: '@ao/cli', expected, got, cure })
}
