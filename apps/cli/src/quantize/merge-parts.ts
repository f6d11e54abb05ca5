/** @file Whether the parts in a folder belong together. */

import { FileError, type CheckpointDestination } from '@ao/safetensors'
import {
  differenceOf,
  PART_FILE,
  partFileOf,
  readPart,
  readRecord,
  RECORD_FILE,
  type PartRecord,
} from './run-record.ts'

/** A folder's parts, which fit each other. */
export interface Parts {
  /** All shards of the checkpoint, some of which may be missing. */
  readonly shards: readonly string[]
  /** Names of the parts' records. */
  readonly records: readonly string[]
}

/**
 * Checks that all parts in a folder are of one input, made with the same options by the same version, and that
 * each shard is of one part.
 *
 * @throws {@link FileError} naming the records that do not fit
 */
export async function checkParts(folder: CheckpointDestination): Promise<Parts> {
  const present = await folder.list()
  const records = present.filter((name) => PART_FILE.test(name)).sort()
  const parts = await Promise.all(records.map((name) => read(folder, name)))
  const whole = await readRecord(folder)
  const shards = (whole?.files ?? []).filter((name) => name.endsWith('.safetensors')).sort()
  if (!whole || shards.length === 0) {
    throw unfit(
      `${folder.name} to hold what ao quantize --shard wrote, with its ${RECORD_FILE}`,
      'shards of which nothing says how they were made',
      'Copy the records along with the shards, or make the parts again.',
    )
  }
  for (const [i, { run }] of parts.entries()) {
    const difference =
      differenceOf(run, (parts[0] as PartRecord).run) ?? differenceOf(run, whole.run)
    if (difference === undefined) continue
    const other = differenceOf(run, (parts[0] as PartRecord).run) ? records[0] : RECORD_FILE
    throw unfit(
      `all parts in ${folder.name} to be made by one version of ao with the same options from the same input`,
      `different ${difference} in ${other} and ${records[i]}`,
      'Make the parts that do not fit again.',
    )
  }
  checkShares(parts, shards, records, folder.name)
  checkComplete(parts, shards, present, folder.name)
  return { shards, records }
}

async function read(folder: CheckpointDestination, name: string): Promise<PartRecord> {
  const record = await readPart(folder, name)
  if (record && partFileOf(record.part) === name) return record
  throw unfit(`${name} in ${folder.name} to be a part's record`, 'something else', MAKE_AGAIN)
}

/** Each shard is of the one part that it falls to. */
function checkShares(
  parts: readonly PartRecord[],
  shards: readonly string[],
  records: readonly string[],
  folder: string,
): void {
  const count = parts[0]?.part.count ?? 1
  parts.forEach(({ part, shards: own }, i) => {
    const due = shards.filter((_, at) => at % part.count === part.index - 1)
    if (part.count === count && JSON.stringify([...own].sort()) === JSON.stringify(due)) return
    const got =
      part.count === count
        ? `${own.join(', ')} in ${records[i]}`
        : `parts of ${count} and of ${part.count}`
    throw unfit(`each shard in ${folder} to be of one part of ${count}`, got, MAKE_AGAIN)
  })
}

/** Where all shards are there, so must be the records that say whose they are. */
function checkComplete(
  parts: readonly PartRecord[],
  shards: readonly string[],
  present: readonly string[],
  folder: string,
): void {
  const [first] = parts
  if (!first || shards.some((name) => !present.includes(name))) return
  const { count } = first.part
  if (parts.length === count) return
  const names = Array.from({ length: count }, (_, i) => partFileOf({ index: i + 1, count }))
  const missing = names.filter((name) => !present.includes(name))
  throw unfit(`${missing.join(', ')} in ${folder}`, 'none', `Copy it along, or make it again.`)
}

const MAKE_AGAIN = 'Remove it, and make the parts again.'

function unfit(expected: string, got: string, cure: string): FileError {
  return new FileError({ package: '@ao/cli', expected, got, cure })
}
