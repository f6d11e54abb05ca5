/** @file Small files that the command line names. */

import { readFile } from 'node:fs/promises'
import { FileError } from '@ao/safetensors'

/**
 * The text of a file.
 *
 * @param what - what it should hold, such as `a config`
 * @throws {@link FileError} naming the path
 */
export async function readTextFile(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new FileError({
      package: '@ao/cli',
      expected: `${what} in ${path}`,
      got: code === 'ENOENT' ? 'no such file' : message,
      cure: 'Check the path.',
      cause,
    })
  }
}
