/**
 * @file Files that come into a folder together, or not at all.
 *
 * They are made in a folder inside it. To put them in place, a mark takes the name of `model.safetensors`,
 * which all readers look for first, and refuse; then all other files are renamed, and the last rename (or,
 * for shards, the mark's removal) lets readers in. So at each moment the folder holds the older
 * checkpoint, the newer one, or one that is refused. A list of what is to be done lies beside the files: whoever
 * comes next completes what was begun.
 */

import { takes } from '@ao/base-tensor'
import { lstat, mkdtemp, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { FileError, PACKAGE, reasonOf } from './errors.ts'
import type { CommitOptions, StagedFiles, StageOptions } from './folder.ts'
import { SINGLE_FILE } from './index-file.ts'
import { makeFolder, plainDirectory } from './node-directory.ts'
import { attempt, unlessMissing } from './node-errors.ts'
import { fileSink, syncFolder } from './node-files.ts'
import {
  claim,
  LOCK_FILE,
  ownerText,
  parseOwner,
  placeOf,
  stateOf,
  unclaim,
  withLock,
} from './node-lock.ts'
import { stagingOf, unfinishedMark } from './unfinished.ts'

const PREFIX = '.ao-partial-'
/** Names that are ours begin with this, in the folder and in the staging folder. */
const OWN = '.ao-'
const OWNER_FILE = '.ao-owner.json'
const JOURNAL_FILE = '.ao-commit.json'
const MARK_FILE = '.ao-mark.json'

/** What a commit does: complete once all of it is done, which can be done again and again. */
interface Journal {
  readonly files: readonly string[]
  readonly remove: readonly string[]
}

/**
 * Starts files that will appear in the folder `path` together; the folder is made. What an earlier process
 * left unfinished there is completed or cleared away first.
 *
 * @throws {@link FileError} when another process writes there, or the folder cannot be written
 */
export async function stageFiles(path: string, options: StageOptions = {}): Promise<StagedFiles> {
  takes('xo{sharing}?', path, options)
  const made = await attempt(`${path} to be a writable folder`, () => makeFolder(path))
  let staging: string | undefined
  try {
    await withLock(path, async () => {
      staging = await openStaging(path, options)
    })
    return new Staged(path, made, staging as unknown as string)
  } catch (error) {
    if (staging !== undefined) await drop(staging)
    await unmake(path, made)
    throw error
  }
}

/** Removes a staging folder; where that fails, the next run does. */
async function drop(staging: string): Promise<void> {
  unclaim(staging)
  await rm(staging, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
}

async function openStaging(path: string, { sharing }: StageOptions): Promise<string> {
  await clear(path, sharing)
  return attempt(`${path} to be a writable folder`, async () => {
    const staging = await mkdtemp(join(path, PREFIX))
    claim(staging)
    try {
      await writeFully(staging, OWNER_FILE, await ownerText({ sharing }))
      return staging
    } catch (error) {
      await drop(staging)
      throw error
    }
  })
}

/**
 * Completes what a process that is over has left unfinished in a folder, and clears the rest of it away.
 *
 * @returns whether files were put in place
 * @throws {@link FileError} when a process writes there
 */
export async function finishStagedFiles(path: string): Promise<boolean> {
  takes('x', path)
  return withLock(path, () => clear(path, undefined))
}

/** Whether a folder holds files that a process was stopped from putting in place. */
export async function hasUnfinishedFiles(path: string): Promise<boolean> {
  takes('x', path)
  return attempt(`${path} to be readable`, async () => (await markIn(path)) !== undefined)
}

class Staged implements StagedFiles {
  readonly name: string
  readonly open: StagedFiles['open']
  readonly readText: StagedFiles['readText']
  readonly create: StagedFiles['create']
  readonly #path: string
  readonly #made: string | undefined
  readonly #staging: string
  /** `marked`: only completing it is left. */
  #state: 'made' | 'marked' | 'done' = 'made'
  #running: Promise<void> = Promise.resolve()

  constructor(path: string, made: string | undefined, staging: string) {
    const folder = plainDirectory(staging)
    this.name = staging
    this.open = folder.open
    this.readText = folder.readText
    this.create = folder.create
    this.#path = path
    this.#made = made
    this.#staging = staging
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#staging)).filter((name) => !name.startsWith(OWN))
  }

  commit(options: CommitOptions = {}): Promise<void> {
    const commit = this.#commit(options)
    this.#running = commit.catch(() => undefined)
    return commit
  }

  async discard(): Promise<void> {
    await this.#running
    unclaim(this.#staging)
    if (this.#state !== 'made') return
    this.#state = 'done'
    await drop(this.#staging)
    await unmake(this.#path, this.#made)
  }

  async #commit({ remove }: CommitOptions): Promise<void> {
    const path = this.#path
    await withLock(path, async () => {
      try {
        await complete(path)
        const files = await this.list()
        const present = await readdir(path)
        const stale = ((await remove?.(present)) ?? []).filter((name) => !files.includes(name))
        await checkTargets(path, files)
        await this.#putInPlace({ files, remove: stale })
      } catch (error) {
        throw this.#failure(error)
      }
    })
    await attempt(`${this.#staging} to be removable: ${path} is complete without it`, () =>
      rm(this.#staging, { recursive: true, force: true }),
    )
  }

  async #putInPlace(journal: Journal): Promise<void> {
    const path = this.#path
    const staging = this.#staging
    if (await isOneRename(path, journal)) {
      for (const name of journal.files) await rename(join(staging, name), join(path, name))
      await syncFolder(path)
    } else {
      await writeFully(staging, JOURNAL_FILE, JSON.stringify(journal))
      await writeFully(staging, MARK_FILE, unfinishedMark(basename(staging)))
      try {
        await rename(join(staging, MARK_FILE), join(path, SINGLE_FILE))
      } finally {
        const isMarked = (await markIn(path)) === basename(staging)
        if (isMarked) this.#state = 'marked'
      }
      await rollForward(path, staging, journal)
    }
    this.#state = 'done'
  }

  #failure(error: unknown): FileError {
    const expected = `the new files to be put in place in ${this.#path}`
    const cure =
      `They are complete, in ${this.#staging}; readers refuse the folder until they are in place. ` +
      `Once the cause is gone, \`ao merge ${this.#path}\` completes it; or write the checkpoint again.`
    if (this.#state !== 'marked') {
      if (FileError.isInstance(error)) return error
      const before = 'Nothing was changed. Make that possible, or choose another folder.'
      return new FileError({ package: PACKAGE, expected, got: reasonOf(error), cure: before })
    }
    return new FileError({ package: PACKAGE, expected, got: reasonOf(error), cure, cause: error })
  }
}

/** A folder that has a file's name would stop the renames half-way. */
async function checkTargets(path: string, files: readonly string[]): Promise<void> {
  for (const name of [...files, SINGLE_FILE]) {
    const target = join(path, name)
    if ((await unlessMissing(lstat(target)))?.isDirectory() !== true) continue
    throw new FileError({
      package: PACKAGE,
      expected: `${target} to be free for a file`,
      got: 'a folder',
      cure: 'Move it away, or choose another folder.',
    })
  }
}

/** One file that takes the place of one, or of none, needs no mark. */
async function isOneRename(path: string, { files, remove }: Journal): Promise<boolean> {
  if (files.length !== 1 || remove.length > 0) return false
  return files[0] === SINGLE_FILE || (await markIn(path)) === undefined
}

async function rollForward(path: string, staging: string, journal: Journal): Promise<void> {
  const { files, remove } = journal
  await syncFolder(path)
  for (const name of files) if (name !== SINGLE_FILE) await move(staging, path, name)
  for (const name of remove) {
    if (name !== SINGLE_FILE) await rm(join(path, name), { recursive: true, force: true })
  }
  await syncFolder(path)
  if (files.includes(SINGLE_FILE)) await move(staging, path, SINGLE_FILE)
  else if ((await markIn(path)) !== undefined) await rm(join(path, SINGLE_FILE))
  await syncFolder(path)
}

async function move(staging: string, path: string, name: string): Promise<void> {
  const moved = rename(join(staging, name), join(path, name)).then(() => true)
  if ((await unlessMissing(moved)) !== undefined) return
  if ((await unlessMissing(lstat(join(path, name)))) !== undefined) return
  throw new FileError({
    package: PACKAGE,
    expected: `${name} in ${staging} or in ${path}`,
    got: 'no such file',
    cure: 'It was removed meanwhile: write the checkpoint again.',
  })
}

/** Completes a commit that was begun. The lock is held, so none is going on. */
async function complete(path: string): Promise<boolean> {
  const name = await markIn(path)
  const staging = name === undefined ? undefined : join(path, basename(name))
  const text =
    staging === undefined
      ? undefined
      : await unlessMissing(readFile(join(staging, JOURNAL_FILE), 'utf8'))
  if (staging === undefined || text === undefined) return false
  await rollForward(path, staging, JSON.parse(text) as Journal)
  await rm(staging, { recursive: true, force: true })
  return true
}

// The mark is a few hundred bytes long.
const LONGEST_MARK = 4096

/** The staging folder that a mark in `path` names; undefined where there is no mark. */
async function markIn(path: string): Promise<string | undefined> {
  const file = join(path, SINGLE_FILE)
  const found = await unlessMissing(lstat(file))
  if (found?.isFile() !== true || found.size > LONGEST_MARK) return undefined
  return stagingOf(await readFile(file, 'utf8'))
}

/** Completes what was begun, refuses to meet others, and removes what nobody needs. */
async function clear(path: string, sharing: StageOptions['sharing']): Promise<boolean> {
  const left: string[] = []
  const marked = await markIn(path)
  const names = await attempt(`${path} to be a folder`, () => readdir(path))
  for (const name of names) {
    if (name.startsWith(`${LOCK_FILE}-`)) left.push(name)
    if (!name.startsWith(PREFIX)) continue
    const text = await readFile(join(path, name, OWNER_FILE), 'utf8').catch(() => '')
    const owner = parseOwner<StageOptions>(text)
    const state = owner && name !== marked ? await stateOf(owner, join(path, name)) : 'over'
    if (owner === undefined || state === 'over') {
      left.push(name)
      continue
    }
    if (sharing && owner.sharing?.group === sharing.group) {
      if (owner.sharing.member !== sharing.member) continue
    }
    const other = `If that is over, remove ${join(path, name)}.`
    throw new FileError({
      package: PACKAGE,
      expected: `${path} to be written by one run at a time`,
      got: `another one, ${placeOf(owner)}`,
      cure: `Wait for its end, or choose another folder.${state === 'elsewhere' ? ` ${other}` : ''}`,
    })
  }
  return attempt(`${path} to be a writable folder`, async () => {
    const completed = await complete(path)
    for (const name of left) await rm(join(path, name), { recursive: true, force: true })
    return completed
  })
}

/** Writes a small file to disk. */
async function writeFully(folder: string, name: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text)
  const sink = await fileSink(join(folder, name), bytes.length)
  try {
    await sink.write(0, bytes)
    await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** Removes the folders that were made for `path`, from the inside, as far as they are empty. */
async function unmake(path: string, made: string | undefined): Promise<void> {
  if (made === undefined) return
  const first = resolve(made)
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const isEmpty = await rmdir(folder).then(
      () => true,
      () => false,
    )
    if (!isEmpty || folder === first) return
  }
}
