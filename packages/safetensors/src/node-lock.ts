/** @file Whose turn it is in a folder, among processes. */

import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FileError, PACKAGE } from './errors.ts'
import { attempt, codeOf, unlessMissing } from './node-errors.ts'

/** The file that a process holds while it changes a folder. */
export const LOCK_FILE = '.ao-lock'

/** A process, as others can tell whether it still runs. */
interface Owner {
  readonly pid: number
  readonly host: string
  /** When it began, by the system's clock; null where that is not known. */
  readonly started: string | null
  /** Tells it from another one that had the same number, as in containers. */
  readonly token: string
}

const TOKEN = randomBytes(8).toString('hex')

/** Locks and folders that this process uses now; it may have failed to remove others that bear its name. */
const claims = new Set<string>()

export function claim(path: string): void {
  claims.add(path)
}

export function unclaim(path: string): void {
  claims.delete(path)
}

/** This process, as JSON. */
export async function ownerText(more: object = {}): Promise<string> {
  const owner: Owner = {
    ...{ pid: process.pid, host: hostname(), token: TOKEN },
    started: await startOf(process.pid),
  }
  return `${JSON.stringify({ ...owner, ...more })}\n`
}

/** What {@link ownerText} wrote; undefined for anything else. */
export function parseOwner<T extends object>(text: string): (Owner & T) | undefined {
  try {
    const owner = JSON.parse(text) as Owner & T
    return typeof owner.pid === 'number' && typeof owner.host === 'string' ? owner : undefined
  } catch {
    return undefined
  }
}

/** Whether a process still uses `path`. Of other machines nobody knows: `elsewhere`. */
export async function stateOf(owner: Owner, path: string): Promise<'runs' | 'over' | 'elsewhere'> {
  if (owner.host !== hostname()) return 'elsewhere'
  if (owner.pid === process.pid) return owner.token === TOKEN && claims.has(path) ? 'runs' : 'over'
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return 'over'
  }
  const started = await startOf(owner.pid)
  return owner.started !== null && started !== null && started !== owner.started ? 'over' : 'runs'
}

/** Linux says when a process began; elsewhere null. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null
}

/** Where a process runs, for messages. */
export function placeOf({ pid, host }: Owner): string {
  return host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`
}

// A lock is held for as long as files are renamed.
const LONGEST_WAIT = 60_000
/** Milliseconds in which a process that has just made its lock writes into it. */
const LONGEST_WRITE = 2_000

/** Runs `action` while no other process changes `folder`. */
export async function withLock<T>(folder: string, action: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK_FILE)
  await attempt(`${folder} to be a writable folder`, () => acquire(path, folder))
  try {
    return await action()
  } finally {
    unclaim(path)
    await attempt(`${path} to be removable`, () => rm(path, { force: true }))
  }
}

async function acquire(path: string, folder: string): Promise<void> {
  for (let waited = 0; !(await take(path)); waited += 50) {
    const text = await unlessMissing(readFile(path, 'utf8'))
    if (text === undefined) continue
    const owner = parseOwner(text)
    if (await isLeft(path, owner)) {
      await removeLeft(path, text)
    } else if (waited >= LONGEST_WAIT) {
      throw new FileError({
        package: PACKAGE,
        expected: `${folder} to be free to be written`,
        got: `a lock of ${owner ? placeOf(owner) : 'an unknown process'}`,
        cure: `Wait until that is over. If nothing writes there, remove ${path}.`,
      })
    } else await sleep(50)
  }
}

async function take(path: string): Promise<boolean> {
  const owner = await ownerText()
  const handle = await open(path, 'wx').catch((error: unknown) => {
    if (codeOf(error) === 'EEXIST') return undefined
    throw error
  })
  if (!handle) return false
  try {
    claim(path)
    await handle.writeFile(owner)
    return true
  } catch (error) {
    unclaim(path)
    await rm(path, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

async function isLeft(path: string, owner: Owner | undefined): Promise<boolean> {
  if (owner) return (await stateOf(owner, path)) === 'over'
  const found = await unlessMissing(stat(path))
  return found !== undefined && Date.now() - found.mtimeMs > LONGEST_WRITE
}

/** Removes a lock that a process has left, unless another one has done so and holds it by now. */
async function removeLeft(path: string, text: string): Promise<void> {
  const away = `${path}-${randomBytes(4).toString('hex')}`
  if ((await unlessMissing(rename(path, away).then(() => true))) === undefined) return
  if ((await readFile(away, 'utf8')) !== text) await link(away, path).catch(() => undefined)
  await rm(away, { force: true })
}
