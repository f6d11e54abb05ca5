/** @file The tokens of a text file, of as much of it as is needed. */

import { FormatError } from '@ao/base-tensor'
import type { Tokenizer } from '@ao/text-generation'
import { textPieces } from './read-file.ts'

/** Tokens behind the wanted ones, so that where the text was cut does not change those. */
const MARGIN = 64

/**
 * The first `count` tokens of a text; all of them, where there are fewer.
 *
 * @returns `isWhole` tells whether the text ends with them
 * @throws {@link FileError} where the file cannot be read or is no text, {@link FormatError} where it is
 * empty
 */
export async function readTextIds(
  path: string,
  tokenizer: Tokenizer,
  count: number,
): Promise<{ readonly ids: readonly number[]; readonly isWhole: boolean }> {
  let text = ''
  let tried = 0
  for await (const piece of textPieces(path, 'a text')) {
    text += piece
    // Twice as much each time, so that the work stays in proportion to what is used.
    const enough = text.length >= Math.max(count, 2 * tried)
    if (piece === '' || !enough || count === Infinity) continue
    tried = text.length
    const ids = tokenizer.encode(normalize(text.slice(0, -1)).trimStart())
    if (ids.length >= count + MARGIN) return { ids: ids.slice(0, count), isWhole: false }
  }
  checkNotEmpty(text, path)
  const ids = tokenizer.encode(normalize(text).trim())
  return { ids: ids.slice(0, count), isWhole: ids.length <= count }
}

/** Line ends count as one token each on every system, as where Python reads a text. */
function normalize(text: string): string {
  return text.replaceAll('\r\n', '\n')
}

function checkNotEmpty(text: string, path: string): void {
  if (text.trim() !== '') return
  throw new FormatError({
    package: '@ao/cli',
    expected: `a text to predict in ${path}`,
    got: text === '' ? 'an empty file' : 'white space only',
  })
}
