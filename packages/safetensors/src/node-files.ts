/** @file One file on disk, to read and to write. */

import { takes } from '@ao/base-tensor'
import { randomBytes } from 'node:crypto'
import { lstat, open, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { allocate, checkRange, type ByteSource } from './byte-source.ts'
import type { ByteSink } from './byte-sink.ts'
import { FileError, PACKAGE } from './errors.ts'
import { attempt, codeOf, unlessMissing } from './node-errors.ts'

// One call to the system cannot move 2 GiB or more.
const MAX_CALL_BYTES = 1 << 30

/**
 * A file on disk.
 *
 * @throws {@link FileError} naming the path, for anything that is not a readable file
 */
export async function fileSource(path: string): Promise<ByteSource> {
  takes('x', path)
  const source = await findFile(path)
  if (source) return source
  throw new FileError({ package: PACKAGE, expected: `a file at ${path}`, got: 'none' })
}

/** {@link fileSource}, or undefined where nothing has that name. */
export async function findFile(path: string): Promise<ByteSource | undefined> {
  if (!(await existsAsFile(path))) return undefined
  const handle = await attempt(`${path} to be readable`, () => open(path, 'r'))
  const { size } = await handle.stat()
  return {
    name: path,
    size,
    read: async (offset, length, { signal } = {}) => {
      signal?.throwIfAborted()
      checkRange(path, size, offset, length)
      return attempt(`${path} to be readable`, () => readFully(handle, offset, length, path))
    },
    close: () => handle.close(),
  }
}

/** Opening anything else than a plain file could block, as a named pipe does. */
async function existsAsFile(path: string): Promise<boolean> {
  const found = await attempt(`${path} to be readable`, () => unlessMissing(stat(path)))
  if (!found) {
    const link = await attempt(`${path} to be readable`, () => unlessMissing(lstat(path)))
    if (!link) return false
    throw new FileError({
      package: PACKAGE,
      expected: `${path} to lead to a file`,
      got: 'a link to nothing',
      cure: 'Download the file again, or copy what it should link to.',
    })
  }
  if (found.isFile()) return true
  throw new FileError({
    package: PACKAGE,
    expected: `${path} to be a file`,
    got: found.isDirectory() ? 'a folder' : 'a device or pipe',
  })
}

async function readFully(
  handle: FileHandle,
  offset: number,
  size: number,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = allocate(size, path)
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(MAX_CALL_BYTES, bytes.length - done)
    const { bytesRead } = await handle.read(bytes, done, length, offset + done)
    if (bytesRead === 0) {
      throw new FileError({
        package: PACKAGE,
        expected: `${bytes.length} bytes at ${offset} in ${path}`,
        got: `${done}, as the file has become shorter`,
        cure: 'Open it again once nothing writes to it.',
      })
    }
    done += bytesRead
  }
  return bytes
}

/**
 * A file to write. Until it is committed it lies beside its place, as `<path>.<process>-<random>.partial`;
 * then it is flushed to disk and renamed over whatever had that name. A link there is replaced, and the
 * file that it led to is not touched.
 *
 * @param size - bytes of the whole file, for the message when there is no room
 * @throws {@link FileError} naming the path, when it cannot be written
 */
export async function fileSink(path: string, size?: number): Promise<ByteSink> {
  takes('xn?', path, size)
  const partial = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
  const writing = <T>(action: () => Promise<T>): Promise<T> =>
    attempt(`${path} to be writable`, action, size)
  const handle = await writing(() => open(partial, 'wx'))
  let active = true
  const drop = async (): Promise<void> => {
    if (!active) return
    active = false
    await handle.close().catch(() => undefined)
    await unlink(partial).catch(() => undefined)
  }
  return {
    name: path,
    write: (offset, bytes) => writing(() => writeFully(handle, bytes, offset)),
    commit: async () => {
      await writing(async () => {
        try {
          await handle.sync()
          await handle.close()
          await rename(partial, path)
          active = false
          await syncFolder(dirname(path))
        } catch (error) {
          await drop()
          throw error
        }
      })
    },
    abort: drop,
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(MAX_CALL_BYTES, bytes.length - done)
    done += (await handle.write(bytes, done, length, offset + done)).bytesWritten
  }
}

// Not all systems let folders be opened or flushed: then it is theirs. These say that it went wrong.
const FAULTS = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS']

/** Makes renames in a folder last through a power cut. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (FAULTS.includes(codeOf(error) ?? '')) throw error
  }
}
