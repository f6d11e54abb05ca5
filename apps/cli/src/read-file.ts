/** @file Small files that the command line names, and texts of any size. */

import { open } from 'node:fs/promises'
import { FileError } from '@ao/safetensors'

/** Bytes that are read at a time. */
const CHUNK = 1 << 16

/**
 * The text of a file.
 *
 * @param what - what it should hold, such as `a config`
 * @throws {@link FileError} naming the path, also where the file is not UTF-8 text
 */
export async function readTextFile(path: string, what: string): Promise<string> {
  let text = ''
  for await (const piece of textPieces(path, what)) text += piece
  return text
}

/**
 * The text of a file, piece by piece: no more of it is read than is taken.
 *
 * @throws as {@link readTextFile}
 */
export async function* textPieces(path: string, what: string): AsyncGenerator<string> {
  const file = await open(path).catch((cause: unknown) => {
    throw unreadable(path, what, cause)
  })
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    for (let isLast = false; !isLast;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK)).catch((cause: unknown) => {
        throw unreadable(path, what, cause)
      })
      isLast = bytesRead === 0
      yield decode(decoder, buffer.subarray(0, bytesRead), isLast, `${what} in ${path}`)
    }
  } finally {
    await file.close()
  }
}

/**
 * What a stream of bytes says, such as standard input.
 *
 * @param what - what it should hold, such as `a prompt on standard input`
 * @throws {@link FileError} where it is not UTF-8 text
 */
export async function readTextStream(
  stream: AsyncIterable<Uint8Array | string>,
  what: string,
): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  for await (const chunk of stream) {
    text += typeof chunk === 'string' ? chunk : decode(decoder, chunk, false, what)
  }
  return text + decode(decoder, new Uint8Array(), true, what)
}

function decode(decoder: TextDecoder, bytes: Uint8Array, isLast: boolean, what: string): string {
  let got = 'bytes that are no UTF-8'
  try {
    const text = decoder.decode(bytes, { stream: !isLast })
    if (!text.includes('\0')) return text
    got = 'binary data'
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  const cure = 'Pass a text file, saved as UTF-8.'
  throw new FileError({ package: '@ao/cli', expected: what, got, cure })
}

function unreadable(path: string, what: string, cause: unknown): FileError {
  const { code, message } = cause as NodeJS.ErrnoException
  return new FileError({
    package: '@ao/cli',
    expected: `${what} in ${path}`,
    got: code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'a folder' : message,
    cure: 'Check the path.',
    cause,
  })
}
