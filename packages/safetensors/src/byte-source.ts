/** @file Where bytes of one file come from. */

import { takes } from '@ao/base-tensor'
import { FileError, PACKAGE, reasonOf } from './errors.ts'

/** How something is read. */
export interface ReadOptions {
  /** Ends the reading, requests that have begun included: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** One file, of which any range of bytes can be read. */
export interface ByteSource {
  /** For messages: a file name, path or URL. */
  readonly name: string
  /** Bytes of the whole file. */
  readonly size: number
  /** Whether each read costs a round trip: neighbouring reads are then joined, and made ahead. */
  readonly remote?: boolean
  /**
   * Bytes `offset` to `offset + length`, as new memory that the caller may keep and write into.
   *
   * @throws {@link FileError} when they cannot be read, in full
   */
  read(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
}

/** A file that lies in memory. */
export function bytesSource(data: Uint8Array | ArrayBufferLike, name = 'bytes'): ByteSource {
  const bytes = bytesOf(data)
  return {
    name,
    size: bytes.byteLength,
    read: async (offset, length, { signal } = {}) => {
      signal?.throwIfAborted()
      checkRange(name, bytes.byteLength, offset, length)
      return new Uint8Array(bytes.subarray(offset, offset + length))
    },
    close: async () => undefined,
  }
}

/** Buffers of another realm, such as a frame, are told by their name. */
function bytesOf(data: Uint8Array | ArrayBufferLike): Uint8Array {
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  }
  const kind = Object.prototype.toString.call(data).slice(8, -1)
  if (kind === 'ArrayBuffer' || kind === 'SharedArrayBuffer') return new Uint8Array(data)
  throw new FileError({
    package: PACKAGE,
    expected: 'bytes as a Uint8Array or an ArrayBuffer',
    got: kind,
  })
}

/** A `Blob`, or a `File` of a picker or drop; only what is read comes into memory. */
export function blobSource(blob: Blob, name: string = blobName(blob)): ByteSource {
  takes('o<slice:f size:n>x', blob, name)
  return {
    name,
    size: blob.size,
    read: async (offset, length, { signal } = {}) => {
      signal?.throwIfAborted()
      checkRange(name, blob.size, offset, length)
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer())
      } catch (error) {
        throw new FileError({
          package: PACKAGE,
          expected: `${name} to be readable`,
          got: reasonOf(error),
          cure: 'It may have changed on disk since it was picked: pick it again.',
          cause: error,
        })
      }
    },
    close: async () => undefined,
  }
}

function blobName(blob: Blob): string {
  return (blob as Partial<File> | undefined)?.name ?? 'blob'
}

/** @throws {@link FileError} unless the range lies in the file */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= size) return
  throw new FileError({
    package: PACKAGE,
    expected: `a read within the ${size} bytes of ${name}`,
    got: `bytes ${offset} to ${offset + length}`,
  })
}

/**
 * New memory for bytes of a file, whatever size it claims.
 *
 * @throws {@link FileError} where there is not so much
 */
export function allocate(length: number, name: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length)
  } catch (error) {
    throw new FileError({
      package: PACKAGE,
      expected: `memory for ${length} bytes of ${name}`,
      got: reasonOf(error),
      cure: 'The file is damaged, or holds a tensor that is too large for this machine.',
      cause: error,
    })
  }
}
