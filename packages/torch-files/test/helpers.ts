import {
  bytesSource,
  openCheckpointFile,
  type ByteSource,
  type Checkpoint,
  type FileKind,
} from '@ao/safetensors'
import { torchFiles } from '../src/index.ts'

/** Opens bytes as a file of `torch.save`. */
export const openTorch = (
  file: Uint8Array | ByteSource,
  kind: FileKind = torchFiles,
): Promise<Checkpoint> =>
  openCheckpointFile(
    file instanceof Uint8Array ? bytesSource(file, 'model.bin') : file,
    undefined,
    {
      fileKinds: [kind],
    },
  )

/** The message that an action ends with. */
export async function messageOf(action: () => unknown): Promise<string> {
  try {
    await action()
  } catch (error) {
    return (error as Error).message
  }
  return 'none'
}

/** The stored bytes of a part, by its key. */
export async function partBytes(checkpoint: Checkpoint, key: string): Promise<number[]> {
  for (const file of checkpoint.files.values()) {
    if (file.tensors.has(key)) return [...(await file.readBytes(key))]
  }
  throw new Error(`No part ${key}`)
}

/** Bytes 0, 1, 2, ... */
export const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i)

/** The bytes of little-endian numbers. */
export const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** Numbers from 0 to 1 (excluded), the same in every run: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A source that says how much of it is asked for at once. */
export function counted(file: Uint8Array): { source: ByteSource; longest: () => number } {
  const source = bytesSource(file, 'model.bin')
  let longest = 0
  const read: ByteSource['read'] = (offset, length, options) => {
    longest = Math.max(longest, length)
    return source.read(offset, length, options)
  }
  return { source: { ...source, read }, longest: () => longest }
}
