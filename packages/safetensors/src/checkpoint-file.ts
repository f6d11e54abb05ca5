/** @file What a checkpoint needs of its files, so that they need not be safetensors. */

import type { DenseTensor } from '@ao/base-tensor'
import type { ByteSource, ReadOptions } from './byte-source.ts'
import type { FileTensor } from './header.ts'
import type { ByteRange } from './read-ahead.ts'

/** Something that a reader may want to know; nothing that stops reading. */
export interface CheckpointNote {
  readonly kind:
    | 'unknown-attribute'
    | 'incomplete'
    | 'undescribed'
    | 'unindexed'
    | 'metadata-conflict'
    | 'left-out'
    | 'converted'
    | 'shared'
  /** The tensor, or the key of the metadata. */
  readonly name: string
  /** A sentence. */
  readonly message: string
}

/** An open file of tensors. {@link SafetensorsFile} is one; files of other kinds are made to look like it. */
export interface CheckpointFile {
  /** For messages: a file name, path or URL. */
  readonly name: string
  readonly source: ByteSource
  /** As safetensors have it: with torchao's descriptions of tensors, where there are any. */
  readonly metadata: ReadonlyMap<string, string>
  /** By key. `offset` and `nbytes` say where bytes of it lie; {@link CheckpointFile.range} says how to read it. */
  readonly tensors: ReadonlyMap<string, FileTensor>
  /** What was noticed when it was opened. */
  readonly notes?: readonly CheckpointNote[]
  /** Name of the safetensors file that a transform makes of this one; its own unless given. */
  readonly writtenAs?: string
  /** Where the bytes of a tensor are read: little-endian, row-major, as many as its shape asks for. */
  range(key: string): ByteRange
  /** One tensor, on the CPU. */
  read(key: string, options?: ReadOptions): Promise<DenseTensor>
  /** The bytes of one tensor. */
  readBytes(key: string, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>>
  /** The tensor that the bytes of its range stand for. */
  decode(key: string, bytes: Uint8Array<ArrayBuffer>): DenseTensor
  /** The name that an index has for a tensor; its key unless given. */
  indexName?(key: string): string
  close(): Promise<void>
}

/** A kind of files that a checkpoint may be made of. */
export interface FileKind {
  /** Name of the one file of a checkpoint that is not in shards. */
  readonly singleFile: string
  /** Name of the file that says which shard holds what. */
  readonly indexFile: string
  /** Whether a file that begins with these 8 bytes is of this kind. */
  recognizes(start: Uint8Array): boolean
  /**
   * Opens a file, and closes its source after an error.
   *
   * @param fileName - its plain name
   */
  open(source: ByteSource, fileName: string, options?: ReadOptions): Promise<CheckpointFile>
}

/** Which kinds of files to open, besides safetensors. */
export interface FileKindOptions {
  /** Looked for in this order, after safetensors. */
  readonly fileKinds?: readonly FileKind[] | undefined
}
