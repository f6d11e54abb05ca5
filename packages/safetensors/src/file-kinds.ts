/** @file Files that are often found where another was expected, by their first bytes. */

const LFS_SIGN = 'version https://git-lfs'

export const LFS_POINTER = 'a pointer of Git LFS, which stands for the file'
export const LFS_CURE =
  'Get the file itself with `git lfs pull`, or from the address that downloads it.'

const PAGE_CURE = 'Check the address, and download the file itself.'

/** How a kind of file begins (in lower case), what messages call it, and what to do about it. */
const KINDS: readonly (readonly [sign: string, kind: string, cure: string])[] = [
  [LFS_SIGN, LFS_POINTER, LFS_CURE],
  ['<!doctype', 'an HTML page', PAGE_CURE],
  ['<html', 'an HTML page', PAGE_CURE],
  ['<?xml', 'an XML document', PAGE_CURE],
  ['gguf', 'a GGUF file', 'Use the safetensors files that it was made of.'],
  ['pk\u0003\u0004', 'a ZIP archive, as torch.save writes', 'Save it as safetensors first.'],
]

/** What a file that begins with these 8 bytes is, and the cure; undefined for any other. */
export function otherKindOf(bytes: Uint8Array): readonly [kind: string, cure: string] | undefined {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 8)).trimStart().toLowerCase()
  const found = KINDS.find(([sign]) => start.startsWith(sign.slice(0, Math.max(start.length, 4))))
  return found && [found[1], found[2]]
}

/** Whether text is what Git LFS leaves in place of a file. */
export function isLfsPointer(text: string): boolean {
  return text.startsWith(LFS_SIGN)
}
