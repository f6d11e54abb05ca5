/** @file One safetensors file, read tensor by tensor. */

import {
  arrayFromBytes,
  DTypeError,
  fromArray,
  type DenseTensor,
  type StoredDType,
  takes,
} from '@ao/base-tensor'
import type { ByteSource, ReadOptions } from './byte-source.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import { FileError, PACKAGE, quote, refuse } from './errors.ts'
import { FILE_DTYPE_NAMES, storedDTypeOf } from './file-dtype.ts'
import {
  LENGTH_BYTES,
  parseHeader,
  parseHeaderLength,
  type FileTensor,
  type Header,
} from './header.ts'
import type { ByteRange } from './read-ahead.ts'
import { refuseUnfinished } from './unfinished.ts'

/** An open safetensors file. Only its header is in memory. */
export class SafetensorsFile implements CheckpointFile {
  readonly source: ByteSource
  /** `__metadata__`; empty where the file has none. */
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, FileTensor>

  constructor(source: ByteSource, header: Header) {
    takes('o<read:f size:n close:f>o<metadata:o tensors:o>', source, header)
    this.source = source
    this.metadata = header.metadata
    this.tensors = header.tensors
  }

  get name(): string {
    return this.source.name
  }

  /**
   * One tensor, on the CPU.
   *
   * @throws {@link DTypeError} for dtypes that `@ao` tensors cannot have: see {@link readBytes}
   */
  async read(name: string, options?: ReadOptions): Promise<DenseTensor> {
    this.#storedDType(name)
    return this.decode(name, await this.readBytes(name, options))
  }

  /** The tensor that its bytes stand for: those of {@link readBytes}, come by in another way. */
  decode(name: string, bytes: Uint8Array<ArrayBuffer>): DenseTensor {
    const dtype = this.#storedDType(name)
    return fromArray(arrayFromBytes(dtype, bytes), this.#find(name).shape, dtype)
  }

  /** Where its bytes are. */
  range(name: string): ByteRange {
    const { offset, nbytes } = this.#find(name)
    return { source: this.source, offset, length: nbytes }
  }

  /** The bytes of one tensor, of any dtype: little-endian, row-major. */
  async readBytes(name: string, options?: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
    const { source, offset, length } = this.range(name)
    return source.read(offset, length, options)
  }

  close(): Promise<void> {
    return this.source.close()
  }

  #storedDType(name: string): StoredDType {
    const { dtype } = this.#find(name)
    const stored = storedDTypeOf(dtype)
    if (stored) return stored
    const known = FILE_DTYPE_NAMES.filter(storedDTypeOf)
    throw new DTypeError({
      package: PACKAGE,
      expected: `${quote(name)} in ${this.name} to be of a dtype that tensors can have here (${known.join(', ')})`,
      got: dtype,
      cure: 'Read it with readBytes(name) and convert it.',
    })
  }

  #find(name: string): FileTensor {
    const tensor = this.tensors.get(name)
    if (tensor) return tensor
    throw new FileError({
      package: PACKAGE,
      expected: `one of the ${this.tensors.size} tensors of ${this.name}`,
      got: quote(name),
      cure: 'Names are the keys of `tensors`.',
    })
  }
}

/**
 * Opens a safetensors file: reads and checks its header, and no tensor.
 *
 * @throws {@link FormatError} naming the file, the tensor and what is wrong; `source` is closed then
 * @throws {@link FileError} when the file marks a checkpoint that is being put in place
 */
export async function openSafetensors(
  source: ByteSource,
  options?: ReadOptions,
): Promise<SafetensorsFile> {
  takes('o<name:x size:n read:f close:f>o?', source, options)
  try {
    const { name, size } = source
    if (size < LENGTH_BYTES) {
      refuse(
        `${name} to begin with the ${LENGTH_BYTES} bytes of its header's length`,
        `a file of ${size} bytes`,
        'The file is cut off: copy or download it again.',
      )
    }
    const start = await source.read(0, LENGTH_BYTES, options)
    refuseUnfinished(start, name)
    const length = parseHeaderLength(start, size, name)
    const header = parseHeader(await source.read(LENGTH_BYTES, length, options), size, name)
    return new SafetensorsFile(source, header)
  } catch (error) {
    await source.close()
    throw error
  }
}
