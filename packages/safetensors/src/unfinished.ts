/**
 * @file The mark of a folder whose files are being put in place.
 *
 * It stands for `model.safetensors`, which all readers look for first, and it is no safetensors file: its
 * first 8 bytes, read as a header's length, are more than any file has. So other readers refuse it, too.
 */

import { FileError, PACKAGE } from './errors.ts'

const BEGIN = '{"ao_unfinished":'

/** Bytes at the start of a file that tell the mark: as many as a header's length has. */
const TOLD_BY = new TextEncoder().encode(BEGIN).subarray(0, 8)

const CURE =
  'Its writer was stopped while it put new files in place. Where it was written, `ao merge <folder>` ' +
  'completes it (finishStagedFiles in programs); or write the checkpoint again.'

/** The mark's text. @param staging - name of the folder in which the rest of the files lies */
export function unfinishedMark(staging: string): string {
  return `${BEGIN}${JSON.stringify({ staging })},"message":${JSON.stringify(CURE)}}\n`
}

/** The `staging` of a mark; undefined for any other text. */
export function stagingOf(text: string): string | undefined {
  if (!text.startsWith(BEGIN)) return undefined
  const mark = JSON.parse(text) as { ao_unfinished: { staging: string } }
  return mark.ao_unfinished.staging
}

/** @throws {@link FileError} for a file that begins as the mark does */
export function refuseUnfinished(head: Uint8Array, name: string): void {
  if (!TOLD_BY.every((byte, i) => head[i] === byte)) return
  throw new FileError({
    package: PACKAGE,
    expected: `${name} to be of a complete checkpoint`,
    got: 'one that mixes older and newer files',
    cure: CURE,
  })
}
