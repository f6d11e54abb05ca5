/** @file A checkpoint: the tensors of a state dict, in one file or several, plain or torchao's. */

import {
  meta,
  zeros,
  type DenseTensor,
  type Json,
  type StoredDType,
  type Tensor,
  takes,
} from '@ao/base-tensor'
import {
  findStored,
  mergeMetadata,
  type CheckpointFiles,
  type StoredTensor,
} from './checkpoint-files.ts'
import type { ReadOptions } from './byte-source.ts'
import type { CheckpointFile, CheckpointNote } from './checkpoint-file.ts'
import { FileError, PACKAGE, quote, refuse } from './errors.ts'
import { storedDTypeOf } from './file-dtype.ts'
import { ReadAhead } from './read-ahead.ts'
import {
  partsByColon,
  PLAIN_PART,
  PLAIN_TYPE,
  readDescriptions,
  type TensorDescription,
} from './torchao-metadata.ts'
import { buildTensor, locateParts, type FormatOptions } from './unflatten.ts'

/** One stored tensor of a checkpoint. */
export interface TensorPart extends StoredTensor {
  /** What it is of its tensor, such as `qdata`; `_data` for a plain tensor. */
  readonly part: string
}

/** What is known of a tensor before its data is read. */
export interface TensorInfo {
  readonly name: string
  /** torchao's class, such as `Int8Tensor`; `Tensor` for plain ones. */
  readonly format: string
  /** Of plain tensors; that of others is known to their class: see {@link Checkpoint.plan}. */
  readonly shape?: readonly number[]
  /** Of plain tensors whose dtype `@ao` has. */
  readonly dtype?: StoredDType
  readonly parts: readonly TensorPart[]
  /** Parts that the checkpoint should have and does not. Reading the tensor fails then. */
  readonly missing: readonly string[]
  /** As stored, for those who list a file without its classes. */
  readonly attributes: Readonly<Record<string, Json>>
}

/** Options of {@link Checkpoint.entries}. */
export interface EntriesOptions extends Partial<FormatOptions>, ReadOptions {
  /** Which tensors, in this order: all unless given. Reading is fastest in the order of the files. */
  readonly names?: readonly string[]
}

/** An open checkpoint. Only headers are in memory. */
export class Checkpoint {
  readonly files: CheckpointFiles
  /** Name of the index that names the files; undefined for a single file. */
  readonly indexFile: string | undefined
  /** Of all files; `tensor_names` lists the tensors of all. */
  readonly metadata: ReadonlyMap<string, string>
  /** Logical names: in torchao's order if it wrote the files, in the order of their data otherwise. */
  readonly names: readonly string[]
  readonly #notes = new Map<string, CheckpointNote>()
  readonly #tensors: ReadonlyMap<string, CheckpointTensor>

  /** @throws {@link FormatError} when files contradict each other or torchao's metadata is damaged */
  constructor(files: CheckpointFiles, indexFile?: string) {
    takes('o<values:f get:f>', files)
    for (const file of files.values()) takes('o<tensors:o read:f>', file)
    this.files = files
    this.indexFile = indexFile
    const where = [...files.values()][0]?.name ?? 'the checkpoint'
    this.metadata = mergeMetadata(files, (note) => this.note(note))
    this.#tensors = findTensors(findStored(files), readDescriptions(this.metadata, where))
    this.names = [...this.#tensors.keys()]
    for (const file of files.values()) file.notes?.forEach((note) => this.note(note))
    const isTorchao = [...this.#tensors.values()].some(({ description }) => description)
    for (const [name, { description, missing }] of this.#tensors) {
      if (missing.length > 0) {
        const message = `${quote(name)} lacks ${missing.join(', ')}.`
        this.note({ kind: 'incomplete', name, message })
      } else if (isTorchao && !description) {
        const message = `${quote(name)} is not in the metadata: taken as plain.`
        this.note({ kind: 'undescribed', name, message })
      }
    }
  }

  /** Whether an index names the files. */
  get sharded(): boolean {
    return this.indexFile !== undefined
  }

  /** Name of the safetensors file that takes the place of one of the files when it is written anew. */
  writtenAs(fileName: string): string {
    const file = this.files.get(fileName)
    if (!file)
      refuse('a file of the checkpoint', quote(fileName), 'Names are the keys of its `files`.')
    return file.writtenAs ?? fileName
  }

  /** What was noticed; reading tensors may add to it. */
  get report(): readonly CheckpointNote[] {
    return [...this.#notes.values()]
  }

  /** Adds to the report, once. */
  note(note: CheckpointNote): void {
    takes('o<message:x>', note)
    this.#notes.set(note.message, note)
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  info(name: string): TensorInfo {
    const { description, parts, missing } = this.#find(name)
    const format = description?.type ?? PLAIN_TYPE
    const data = format === PLAIN_TYPE ? parts[0] : undefined
    const dtype = data && storedDTypeOf(data.dtype)
    return {
      name,
      format,
      ...(data && { shape: data.shape }),
      ...(dtype && { dtype }),
      parts,
      missing,
      attributes: description?.attributes ?? {},
    }
  }

  /** The description that torchao's metadata has of a tensor, if it has one. */
  description(name: string): TensorDescription | undefined {
    return this.#find(name).description
  }

  /**
   * A tensor, on the CPU.
   *
   * @throws {@link FormatError} when parts are missing, or its class is not in `formats`
   * @throws {@link DTypeError} when it is of a dtype that `@ao` tensors cannot have
   */
  async read(
    name: string,
    options: FormatOptions & ReadOptions = { formats: [] },
  ): Promise<Tensor> {
    takes('xo{formats signal}', name, options)
    return this.#build(name, options, ({ fileName, key }) =>
      this.#file(fileName).read(key, options),
    )
  }

  /** A tensor of the `meta` device: shape, dtype and attributes without any data. */
  async plan(
    name: string,
    options: FormatOptions & ReadOptions = { formats: [] },
  ): Promise<Tensor> {
    takes('xo{formats signal}', name, options)
    return this.#build(name, options, async ({ fileName, key, dtype, shape }) => {
      const stored = storedDTypeOf(dtype)
      // Reading says what is wrong with a dtype that there is no tensor for.
      return stored ? zeros(shape, stored, meta) : this.#file(fileName).read(key, options)
    })
  }

  /**
   * Tensors one after the other, all unless `names` says which. Each is read when it is asked for; of a
   * server's files, the next ones are fetched meanwhile, neighbours in one request: up to 32 MiB.
   */
  async *entries(
    options: EntriesOptions = {},
  ): AsyncGenerator<[name: string, tensor: Tensor], void, undefined> {
    takes('o{names formats signal}', options)
    const { names = this.names, formats = [], signal } = options
    takes('ll', names, formats)
    const parts = names.flatMap((name) => this.#find(name).parts)
    const bytes = new ReadAhead(
      parts.map(({ fileName, key }) => this.#file(fileName).range(key)),
      signal,
    )
    try {
      for (const name of names) {
        signal?.throwIfAborted()
        const load = async ({ fileName, key }: TensorPart): Promise<DenseTensor> =>
          this.#file(fileName).decode(key, await bytes.next())
        // No variable holds the tensor, so that it can be freed while the next one is read.
        yield [name, await this.#build(name, { formats }, load)]
      }
    } finally {
      bytes.stop()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.files.values()].map((file) => file.close()))
  }

  async #build(
    name: string,
    options: FormatOptions,
    load: (part: TensorPart) => Promise<DenseTensor>,
  ): Promise<Tensor> {
    const { description, parts, missing } = this.#find(name)
    if (missing.length > 0) {
      refuse(
        `all parts of ${quote(name)}`,
        `none for ${missing.join(', ')}`,
        'A shard may be missing, or be of another checkpoint.',
      )
    }
    if (!description) return load(parts[0] as TensorPart)
    const tensors = new Map<string, DenseTensor>()
    for (const part of parts) tensors.set(part.part, await load(part))
    const { tensor, unknown } = buildTensor(description, tensors, options)
    for (const attribute of Object.keys(unknown ?? {})) {
      const message = `${quote(name)} has the attribute ${quote(attribute)}, which ${description.type} does not know.`
      this.note({ kind: 'unknown-attribute', name, message })
    }
    return tensor
  }

  #file(fileName: string): CheckpointFile {
    return this.files.get(fileName) as CheckpointFile
  }

  #find(name: string): CheckpointTensor {
    const tensor = this.#tensors.get(name)
    if (tensor) return tensor
    throw new FileError({
      package: PACKAGE,
      expected: `one of the checkpoint's ${this.names.length} tensors`,
      got: quote(name),
      cure: 'Names are in `checkpoint.names`.',
    })
  }
}

interface CheckpointTensor {
  readonly description: TensorDescription | undefined
  readonly parts: readonly TensorPart[]
  readonly missing: readonly string[]
}

/** Described tensors in their order, then stored ones that no description covers. */
function findTensors(
  keys: ReadonlyMap<string, StoredTensor>,
  descriptions: ReadonlyMap<string, TensorDescription>,
): ReadonlyMap<string, CheckpointTensor> {
  const tensors = new Map<string, CheckpointTensor>()
  const left = new Map(keys)
  const early = partsByColon(keys.keys())
  for (const [name, description] of descriptions) {
    const located = locateParts(description, keys, early.get(name))
    const parts = [...located.keys].map(([part, key]): TensorPart => {
      left.delete(key)
      return { part, ...(keys.get(key) as StoredTensor) }
    })
    tensors.set(name, { description, parts, missing: located.missing })
  }
  for (const [key, stored] of left) {
    if (tensors.has(key)) {
      refuse(
        `${quote(key)} to be stored as its metadata says`,
        'a plain tensor of that name',
        'Metadata and data are of different checkpoints: write them again.',
      )
    }
    tensors.set(key, {
      description: undefined,
      parts: [{ part: PLAIN_PART, ...stored }],
      missing: [],
    })
  }
  return tensors
}
