/** @file Files that are often found where another was expected, by their first bytes. */

import { takes } from '@ao/base-tensor'

const LFS_SIGN = 'version https://git-lfs'

export const LFS_POINTER = 'a pointer of Git LFS, which stands for the file'
export const LFS_CURE =
  'Get the file itself with `git lfs pull`, or from the address that downloads it.'

/** What a file that begins with these 8 bytes is, and the cure; undefined for any other. */
export function otherKindOf(bytes: Uint8Array): readonly [kind: string, cure: string] | undefined {
  takes('o<subarray:f>', bytes)
  const start = String.fromCharCode(...Array.from(bytes.subarray(0, 8), Number)).trimStart()
  if (start === LFS_SIGN.slice(0, 8)) return [LFS_POINTER, LFS_CURE]
  // Of HTML, or of XML.
  return /^<[!?a-z]/i.test(start)
    ? ['a page', 'Check the address, and download the file itself.']
    : undefined
}

/** Whether text is what Git LFS leaves in place of a file. */
export function isLfsPointer(text: string): boolean {
  return text.startsWith(LFS_SIGN)
}
