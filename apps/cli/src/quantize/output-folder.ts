/**
 * @file The folder that `ao quantize` writes.
 *
 * Files are made in a staging folder inside it and renamed into place when all are complete, so that an
 * interrupted run leaves what was there before. A record, `ao-quantize.json`, tells later runs that the
 * folder is theirs to replace, and how its parts were made.
 */

import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AoError, type Json } from '@ao/base-tensor'

export const RECORD_FILE = 'ao-quantize.json'
const STAGING_PREFIX = '.ao-partial-'

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
  readonly record: Json
  /** Whether this run makes some of the folder's files only. */
  readonly part: boolean
}

export interface OutputFolder {
  /** Where files are made until {@link OutputFolder.commit}. */
  readonly staging: string
  /** Renames all made files into place; weights of an earlier run go away. */
  commit(): Promise<void>
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
  const { record, part } = options
  await refuseInput(path, options.input)
  const entries = await listFolder(path)
  const text = `${JSON.stringify(record, null, 2)}\n`
  if (!options.force) await checkOwnership(path, entries ?? [], part ? text : undefined)
  await mkdir(path, { recursive: true })
  const staging = await mkdtemp(join(path, STAGING_PREFIX))
  await writeFile(join(staging, RECORD_FILE), text)
  let done = false
  return {
    staging,
    async commit() {
      await moveIntoPlace(staging, path, part)
      done = true
    },
    async discard() {
      if (done) return
      await rm(staging, { recursive: true, force: true })
      if (entries === undefined) await rmdir(path).catch(() => undefined)
    },
  }
}

async function moveIntoPlace(staging: string, path: string, part: boolean): Promise<void> {
  const made = await readdir(staging)
  // The record first: a part that starts meanwhile then knows the folder as its own.
  made.sort((a, b) => Number(b === RECORD_FILE) - Number(a === RECORD_FILE))
  for (const name of made) await rename(join(staging, name), join(path, name))
  await rm(staging, { recursive: true })
  if (part) return
  for (const name of (await listFolder(path)) ?? []) {
    const stale = isWeights(name) && !made.includes(name)
    if (stale || name.startsWith(STAGING_PREFIX)) {
      await rm(join(path, name), { recursive: true, force: true })
    }
  }
}

function isWeights(name: string): boolean {
  return name.endsWith('.safetensors') || name.endsWith('.safetensors.index.json')
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
  path: string,
  entries: readonly string[],
  ownRecord: string | undefined,
): Promise<void> {
  if (!entries.includes(RECORD_FILE)) {
    const foreign = entries.filter((name) => !name.startsWith(STAGING_PREFIX))
    if (foreign.length === 0) return
    const names = foreign.length > 3 ? [...foreign.slice(0, 3), '...'] : foreign
    throw refusal(
      '--out to be new, empty or written by ao quantize',
      `${path} with ${names.join(', ')}`,
      'Choose another --out, or pass --force to replace its weights.',
    )
  }
  if (ownRecord === undefined) return
  if ((await readFile(join(path, RECORD_FILE), 'utf8')) === ownRecord) return
  throw refusal(
    `all parts in ${path} to be made with the same options from the same input`,
    `others than its ${RECORD_FILE} says`,
    'Choose another --out, or pass --force and make all parts again.',
  )
}

/** Names in a folder; undefined where there is none. */
async function listFolder(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw refusal('--out to be a folder', (error as Error).message, 'Choose another --out.')
  }
}

function refusal(expected: string, got: string, cure: string): OutputFolderError {
  return new OutputFolderError({ package: '@ao/cli', expected, got, cure })
}
