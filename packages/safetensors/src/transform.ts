/**
 * @file Changing a checkpoint tensor by tensor: quantizing one that does not fit in memory.
 *
 * A first pass runs the transform on tensors without data, which gives every file's layout; so headers
 * come first and each tensor is written to its place as soon as it is made. Memory holds one tensor.
 */

import { isSkipped, ValueError, type DenseTensor, type Tensor, takes } from '@ao/base-tensor'
import type { ByteSink } from './byte-sink.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import type { Checkpoint, TensorPart } from './checkpoint.ts'
import { PACKAGE, quote } from './errors.ts'
import type { CheckpointDestination, StageOptions } from './folder.ts'
import type { FileLayout } from './layout.ts'
import type { FileTensor } from './header.ts'
import { INDEX_FILE } from './index-file.ts'
import { ReadAhead, type ByteRange } from './read-ahead.ts'
import {
  planFile,
  planTransform,
  planResult,
  type PlannedEntry,
  type TensorTransform,
  type TransformPlan,
} from './transform-plan.ts'
import type { FormatOptions } from './unflatten.ts'
import { metadataMap, readTensorBytes, type Metadata } from './write.ts'
import { refuseSingleFile, writeIndex } from './write-index.ts'

/** Options of {@link transformCheckpoint}. */
export interface TransformOptions extends Partial<FormatOptions> {
  /**
   * Makes part `index` (from 1) of `count` only: every `count`-th file, and no index. Parts may run on
   * different machines; `writeIndex` then joins them. Their bytes are those of one run.
   */
  readonly shard?: { readonly index: number; readonly count: number }
  /**
   * New names, and the tensors that are written under them, too, in the same file: `{ 'lm_head.weight':
   * 'model.embed_tokens.weight' }` for a head that is no longer tied. The transform is called with the new name.
   */
  readonly copies?: Readonly<Record<string, string>>
  /** Added to the metadata of the checkpoint, or put in place of its values. */
  readonly metadata?: Metadata
  /** Told of what was written, again and again. */
  readonly onProgress?: (progress: TransformProgress) => void
  /** Stops between two tensors or two chunks of one; files that were there stay as they were. */
  readonly signal?: AbortSignal
}

/** How far a transform has come. */
export interface TransformProgress {
  /** The tensor that is done. */
  readonly name: string
  readonly fileName: string
  /** Tensors done, out of `total`, in all files of this run. */
  readonly done: number
  readonly total: number
  /** Bytes written, out of `totalBytes`. */
  readonly bytes: number
  readonly totalBytes: number
}

/** What a transform wrote. */
export interface TransformReport {
  /** Names of the files that were written, without the index. */
  readonly fileNames: readonly string[]
  readonly transformed: readonly string[]
  /** Tensors that were copied, and why. */
  readonly kept: readonly { readonly name: string; readonly reason: string }[]
  /** Bytes of all files. */
  readonly bytes: number
}

/**
 * Writes a checkpoint whose tensors are those of another, each changed by `transform`. There is one new
 * file for each file, of the same name, or of its `writtenAs`; a sharded checkpoint also gets an index. All files appear at
 * the end, so that a run that fails or stops leaves the folder as it was, also when it is the
 * checkpoint's own. In a folder on disk they appear together: see {@link StagedFiles.commit}.
 *
 * @param transform - called twice for each tensor, first with one of the `meta` device; both calls must
 * give the same shapes, dtypes and attributes
 * @throws {@link ValueError} when they do not
 */
export async function transformCheckpoint(
  checkpoint: Checkpoint,
  destination: CheckpointDestination,
  transform: TensorTransform,
  options: TransformOptions = {},
): Promise<TransformReport> {
  takes(
    'o<note:f has:f>o<list:f create:f>fo{shard copies metadata onProgress signal formats}?',
    checkpoint,
    destination,
    transform,
    options,
  )
  return writeCheckpoint(checkpoint, destination, transform, options)
}

/**
 * Writes a checkpoint anew, tensors of all classes as they are stored: {@link transformCheckpoint} that needs
 * no class and changes no bit. Files of another kind become safetensors.
 *
 * @throws {@link FormatError} for a tensor of which parts are missing
 */
export async function copyCheckpoint(
  checkpoint: Checkpoint,
  destination: CheckpointDestination,
  options: Omit<TransformOptions, 'formats' | 'copies'> = {},
): Promise<TransformReport> {
  takes(
    'o<note:f has:f>o<list:f create:f>o{shard metadata onProgress signal}?',
    checkpoint,
    destination,
    options,
  )
  return writeCheckpoint(checkpoint, destination, undefined, options)
}

async function writeCheckpoint(
  checkpoint: Checkpoint,
  destination: CheckpointDestination,
  transform: TensorTransform | undefined,
  options: TransformOptions,
): Promise<TransformReport> {
  const { formats = [], shard, copies = {}, metadata = {}, signal } = options
  signal?.throwIfAborted()
  const fileNames = filesOfShard([...checkpoint.files.keys()], shard)
  const planOptions = { formats, copies, metadata: metadataMap(metadata) }
  const plan = await planTransform(checkpoint, transform, planOptions)
  const run = new TransformRun(checkpoint, transform, plan, fileNames, { ...options, formats })
  const staged = await destination.stage?.(shard ? { sharing: sharingOf(shard) } : {})
  try {
    if (checkpoint.sharded) await refuseSingleFile(destination, await destination.list())
    await run.writeAll(staged ?? destination)
    if (checkpoint.sharded && !shard) {
      await writeIndex(staged ?? destination, { expected: run.report().fileNames })
    }
    // An older index would take a part for the whole.
    const remove = (present: readonly string[]): string[] =>
      shard ? present.filter((name) => name === INDEX_FILE) : []
    await staged?.commit({ remove })
  } finally {
    await staged?.discard()
  }
  return run.report()
}

/** Parts of one checkpoint may be written at once. */
function sharingOf({ index, count }: NonNullable<TransformOptions['shard']>): Sharing {
  return { group: `parts of ${count}`, member: String(index) }
}

type Sharing = StageOptions['sharing']

/** File names `index - 1`, `index - 1 + count`, ... */
function filesOfShard(fileNames: readonly string[], shard: TransformOptions['shard']): string[] {
  const { index, count } = shard ?? { index: 1, count: 1 }
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 1 || index > count) {
    throw new ValueError({
      package: PACKAGE,
      expected: 'shard.index from 1 to shard.count',
      got: `${index} of ${count}`,
    })
  }
  return fileNames.filter((_, i) => i % count === index - 1)
}

// What is copied at once: large enough for a disk, small beside a tensor.
const CHUNK_BYTES = 8 << 20

class TransformRun {
  readonly #checkpoint: Checkpoint
  readonly #transform: TensorTransform | undefined
  readonly #options: TransformOptions & FormatOptions
  readonly #entries: readonly PlannedEntry[]
  readonly #layouts: ReadonlyMap<string, FileLayout>
  readonly #totalBytes: number
  /** Tensors to transform, in the order of the entries. */
  readonly #tensors: AsyncGenerator<[name: string, tensor: Tensor], void, undefined>
  /** Chunks to copy, in the order of the entries. */
  readonly #chunks: ReadAhead
  #done = 0
  #bytes = 0

  constructor(
    checkpoint: Checkpoint,
    transform: TensorTransform | undefined,
    plan: TransformPlan,
    fileNames: readonly string[],
    options: TransformOptions & FormatOptions,
  ) {
    this.#checkpoint = checkpoint
    this.#transform = transform
    this.#options = options
    this.#entries = fileNames.flatMap((name) => plan.entries.filter((e) => e.fileName === name))
    this.#layouts = new Map(fileNames.map((fileName) => [fileName, planFile(plan, fileName)]))
    this.#totalBytes = [...this.#layouts.values()].reduce((sum, { size }) => sum + size, 0)
    this.#tensors = checkpoint.entries({
      ...(options.formats && { formats: options.formats }),
      names: this.#transformed().map(({ source }) => source),
    })
    this.#chunks = new ReadAhead(
      this.#entries.flatMap(({ copied }) => [...(copied?.values() ?? [])].flatMap(this.#split)),
      options.signal,
    )
  }

  report(): TransformReport {
    return {
      fileNames: [...this.#layouts.keys()].map((name) => this.#checkpoint.writtenAs(name)),
      transformed: this.#transformed().map(({ name }) => name),
      kept: this.#entries.flatMap(({ name, reason }) =>
        reason === undefined ? [] : [{ name, reason }],
      ),
      bytes: this.#totalBytes,
    }
  }

  #transformed(): PlannedEntry[] {
    return this.#entries.filter(({ copied }) => !copied)
  }

  async writeAll(destination: CheckpointDestination): Promise<void> {
    const sinks: ByteSink[] = []
    try {
      for (const [fileName, layout] of this.#layouts) {
        const sink = await destination.create(this.#checkpoint.writtenAs(fileName), layout.size)
        sinks.push(sink)
        await this.#writeFile(sink, fileName, layout)
      }
      this.#options.signal?.throwIfAborted()
      for (const sink of sinks) await sink.commit()
    } catch (error) {
      await Promise.all(sinks.map((sink) => sink.abort()))
      throw error
    } finally {
      this.#chunks.stop()
      await this.#tensors.return()
    }
  }

  async #writeFile(sink: ByteSink, fileName: string, layout: FileLayout): Promise<void> {
    await this.#write(sink, 0, layout.header)
    const entries = this.#entries.filter((entry) => entry.fileName === fileName)
    for (const entry of entries) {
      this.#options.signal?.throwIfAborted()
      if (entry.copied) await this.#copy(sink, layout, entry.copied)
      else await this.#transformTensor(sink, layout, entry)
      this.#done++
      this.#options.onProgress?.({
        name: entry.name,
        fileName: this.#checkpoint.writtenAs(fileName),
        done: this.#done,
        total: this.#entries.length,
        bytes: this.#bytes,
        totalBytes: this.#totalBytes,
      })
    }
  }

  async #copy(
    sink: ByteSink,
    layout: FileLayout,
    copied: ReadonlyMap<string, TensorPart>,
  ): Promise<void> {
    for (const [key, part] of copied) {
      const { offset } = layout.tensors.get(key) as FileTensor
      let done = 0
      for (const { length } of this.#split(part)) {
        this.#options.signal?.throwIfAborted()
        await this.#write(sink, offset + done, await this.#chunks.next())
        done += length
      }
    }
  }

  readonly #split = (part: TensorPart): ByteRange[] => {
    const file = this.#checkpoint.files.get(part.fileName) as CheckpointFile
    const { source, offset, length } = file.range(part.key)
    return Array.from({ length: Math.ceil(length / CHUNK_BYTES) }, (_, i) => ({
      source,
      offset: offset + i * CHUNK_BYTES,
      length: Math.min(CHUNK_BYTES, length - i * CHUNK_BYTES),
    }))
  }

  async #transformTensor(sink: ByteSink, layout: FileLayout, entry: PlannedEntry): Promise<void> {
    const [, tensor] = (await this.#tensors.next()).value as [string, Tensor]
    const { name } = entry
    const result = await (this.#transform as TensorTransform)(name, tensor)
    const parts = isSkipped(result)
      ? refuseChange(name, result.skipped)
      : this.#checked(entry, result)
    for (const [key, part] of parts) {
      await this.#write(
        sink,
        (layout.tensors.get(key) as FileTensor).offset,
        await readTensorBytes(part),
      )
    }
  }

  #checked(entry: PlannedEntry, result: Tensor): ReadonlyMap<string, DenseTensor> {
    const planned = JSON.stringify([entry.description, [...entry.tensors]])
    const { description, tensors, parts } = planResult(entry.name, result)
    const made = JSON.stringify([description, [...tensors]])
    if (made !== planned) refuseChange(entry.name, `${made}, and not ${planned}`)
    return parts
  }

  async #write(sink: ByteSink, offset: number, bytes: Uint8Array): Promise<void> {
    await sink.write(offset, bytes)
    this.#bytes += bytes.byteLength
  }
}

function refuseChange(name: string, got: string): never {
  throw new ValueError({
    package: PACKAGE,
    expected: `the transform to make of ${quote(name)} what it made of its shape alone`,
    got,
    cure: 'It must not depend on the numbers which shapes, dtypes and attributes come out.',
  })
}
