/** @file What the operating system refuses, in words that say what to do. */

import { takes } from '@ao/base-tensor'
import { FileError, PACKAGE, reasonOf } from './errors.ts'

const CURES: Readonly<Record<string, string>> = {
  EACCES: 'Change the permissions (chmod, chown), or choose another folder.',
  EPERM: 'Change the permissions (chmod, chown, chattr), or choose another folder.',
  EROFS: 'The file system is read-only: choose a folder on another one, or mount it writable.',
  ENOSPC:
    'Free space on that disk, or choose a folder on another one. ' +
    'Files that are replaced stay until the new ones are complete, so there must be room for both.',
  EDQUOT:
    'Free space, raise the quota, or choose a folder on another disk. ' +
    'Files that are replaced stay until the new ones are complete, so there must be room for both.',
  EFBIG: 'The file system takes no file of that size: choose a folder on another one.',
  ENOENT: 'A folder of that path is missing, or was removed meanwhile: check the path.',
  ENOTDIR: 'A part of that path is a file, where a folder is needed: check the path.',
  EISDIR: 'A folder has that name: move it away, or choose another path.',
  EEXIST: 'Something has that name already: move it away, or choose another path.',
  ENOTEMPTY: 'A folder has that name: move it away, or choose another path.',
  EIO: 'The disk or the network drive reports a fault: check it, or choose a folder on another one.',
  ESTALE: 'The network drive has lost the file: mount it again.',
  EBUSY: 'Another program uses it: end that program, or choose another path.',
  ETXTBSY: 'Another program uses it: end that program, or choose another path.',
  EMFILE: 'Too many files are open: raise the limit (ulimit -n).',
  ENFILE: 'Too many files are open on this machine: end other programs.',
  ELOOP: 'Links lead in a circle: check the path.',
  ENAMETOOLONG: 'Choose a shorter path.',
  EXDEV: 'Choose a folder whose files all lie on one disk.',
}

const NO_ROOM = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** The code of an error of the operating system, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as Partial<NodeJS.ErrnoException> | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/**
 * An error of the operating system as a {@link FileError}, which says what to do.
 *
 * @param expected - with the path, such as `/models/out to be writable`
 * @param size - bytes that there should be room for
 */
export function fileErrorOf(error: unknown, expected: string, size?: number): FileError {
  takes('.xn?', error, expected, size)
  if (FileError.isInstance(error)) return error
  const code = codeOf(error) ?? ''
  const room = size !== undefined && NO_ROOM.includes(code) ? `, with room for ${size} bytes` : ''
  const cure = CURES[code]
  return new FileError({
    package: PACKAGE,
    expected: expected + room,
    got: reasonOf(error),
    cause: error,
    ...(cure === undefined ? {} : { cure }),
  })
}

/** Runs `action`; what it throws becomes a {@link FileError}. */
export async function attempt<T>(
  expected: string,
  action: () => Promise<T>,
  size?: number,
): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw fileErrorOf(error, expected, size)
  }
}

/** What `found` gives, or undefined where there is no such file. */
export async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
