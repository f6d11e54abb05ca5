/**
 * @file Makes something happen at a chosen change of the file system: `onChange` is told of each one before it.
 *
 * Preloaded into a process (`node --import`), it ends that process by SIGKILL at change `KILL_AT`, or lists
 * all changes in the file `TRACE`.
 */
import { appendFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const CHANGES = ['rename', 'rm', 'rmdir', 'unlink', 'link', 'mkdir', 'mkdtemp', 'writeFile']
const HANDLE_CHANGES = ['write', 'writeFile', 'sync']

/** Calls `onChange(what)` before each change; what it throws, the change throws. Returns how to stop. */
export async function watchChanges(onChange) {
  const undo = []
  const wrap = (object, name, describe) => {
    const real = object[name]
    object[name] = async function (...args) {
      const what = describe(name, args)
      if (what !== undefined) onChange(what)
      return real.apply(this, args)
    }
    undo.push(() => (object[name] = real))
  }
  const handle = await fs.open(new URL(import.meta.url), 'r')
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  for (const name of CHANGES) wrap(fs, name, (_, [path]) => `${name} ${path}`)
  wrap(fs, 'open', (_, [path, flags]) =>
    typeof flags === 'string' && flags !== 'r' ? `open ${path}` : undefined,
  )
  for (const name of HANDLE_CHANGES) wrap(prototype, name, () => name)
  syncBuiltinESMExports()
  return () => {
    for (const each of undo) each()
    syncBuiltinESMExports()
  }
}

const { KILL_AT, TRACE } = process.env
if (KILL_AT !== undefined || TRACE !== undefined) {
  let count = 0
  await watchChanges((what) => {
    count++
    if (TRACE !== undefined) appendFileSync(TRACE, `${what}\n`)
    if (count === Number(KILL_AT)) process.kill(process.pid, 'SIGKILL')
  })
}
