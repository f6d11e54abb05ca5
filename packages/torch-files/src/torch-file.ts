/** @file A file of `torch.save` as a file of a checkpoint. */

import {
  otherKindOf,
  SafetensorsFile,
  type ByteRange,
  type ByteSource,
  type CheckpointFile,
  type CheckpointNote,
  type FileKind,
  type ReadOptions,
} from '@ao/safetensors'
import { crc32 } from './crc32.ts'
import { DAMAGED, refuse } from './errors.ts'
import { MAX_EXPANSION, MAX_PICKLE_BYTES } from './limits.ts'
import { unpickle } from './pickle.ts'
import { findStateDict, takeApart } from './state-dict.ts'
import { findPart, type TensorFile, type Window } from './windows.ts'
import { torchWorld } from './world.ts'
import { readZip, type ZipEntries, type ZipEntry } from './zip.ts'

const START_BYTES = 8

/** Options of {@link torchFilesWith}. */
export interface TorchFileOptions {
  /** Key under which the file has its state dict, such as `model`; needed where it has several. */
  readonly stateDict?: string | undefined
}

/**
 * Files that `torch.save` wrote, for `fileKinds` of {@link openCheckpoint} and of models: `pytorch_model.bin`, or
 * the shards that `pytorch_model.bin.index.json` names. Nothing in them is run.
 */
export const torchFiles: FileKind = /* @__PURE__ */ torchFilesWith({})

/** {@link torchFiles} for files that hold more than a state dict, such as those of training. */
export function torchFilesWith(options: TorchFileOptions): FileKind {
  return {
    singleFile: 'pytorch_model.bin',
    indexFile: 'pytorch_model.bin.index.json',
    recognizes: (start) => isZip(start) || isPickle(start),
    open: (source, fileName, readOptions) => openTorchFile(source, fileName, options, readOptions),
  }
}

function isZip(start: Uint8Array): boolean {
  return String.fromCharCode(...start.subarray(0, 4)) === 'PK\u0003\u0004'
}

/** Of what `torch.save` wrote before PyTorch 1.6: a pickle that begins with a long number. */
function isPickle(start: Uint8Array): boolean {
  return start[0] === 0x80 && start[2] === 0x8a && start[3] === 0x0a
}

class TorchFile extends SafetensorsFile implements CheckpointFile {
  readonly writtenAs: string
  readonly notes: readonly CheckpointNote[]
  readonly #windows: ReadonlyMap<string, Window>
  readonly #nameOf: ReadonlyMap<string, string>

  constructor(source: ByteSource, fileName: string, contents: Contents) {
    super(source, { metadata: contents.metadata, tensors: contents.windows })
    this.writtenAs = writtenName(fileName)
    this.notes = contents.notes
    this.#windows = contents.windows
    this.#nameOf = contents.nameOf
  }

  override range(key: string): ByteRange {
    return this.#windows.get(key)?.range ?? super.range(key)
  }

  indexName(key: string): string {
    return this.#nameOf.get(key) ?? key
  }
}

interface Contents {
  readonly metadata: ReadonlyMap<string, string>
  readonly windows: ReadonlyMap<string, Window>
  readonly nameOf: ReadonlyMap<string, string>
  readonly notes: readonly CheckpointNote[]
}

/** As the transformers library names safetensors: `pytorch_model-00001-of-00002.bin` without `pytorch_`. */
function writtenName(fileName: string): string {
  if (fileName.endsWith('.safetensors')) return fileName
  return `${fileName.replace(/^pytorch_/, '').replace(/\.\w+$/, '')}.safetensors`
}

async function openTorchFile(
  source: ByteSource,
  fileName: string,
  { stateDict }: TorchFileOptions,
  options?: ReadOptions,
): Promise<TorchFile> {
  try {
    await checkStart(source, options)
    const entries = await readZip(source, options)
    const pickle = findPickle(entries, source.name)
    const root = pickle.name.slice(0, pickle.name.lastIndexOf('/') + 1)
    const what = `the pickle in ${source.name}`
    const bytes = await readChecked(source, pickle, options)
    const order = entries.get(`${root}byteorder`)
    const isBigEndian = order !== undefined && (await isBig(source, order, options))
    const notes: CheckpointNote[] = []
    const value = unpickle(bytes, torchWorld(what), what)
    const tensors = findStateDict(value, stateDict, source.name, (note) => notes.push(note))
    const { parts, nameOf, metadata, notes: converted } = takeApart(tensors)
    const file: TensorFile = { source, entries, root, isBigEndian }
    const windows = new Map<string, Window>()
    let total = 0
    for (const [key, part] of parts) {
      const window = findPart(part, file, JSON.stringify(key))
      total += window.nbytes
      windows.set(key, window)
    }
    if (total > MAX_EXPANSION * source.size) {
      const got = `${total} bytes of ${source.size}`
      refuse(
        `tensors of ${source.name} that share few of their bytes`,
        got,
        'Get the file from somebody you trust.',
      )
    }
    notes.push(...converted, ...sharedNotes(windows, nameOf))
    return new TorchFile(source, fileName, { metadata, windows, nameOf, notes })
  } catch (error) {
    await source.close()
    throw error
  }
}

/** @throws {@link FormatError} for what is no zip, with the cure for what it is */
async function checkStart(source: ByteSource, options?: ReadOptions): Promise<void> {
  const { name, size } = source
  const start = await source.read(0, Math.min(size, START_BYTES), options)
  if (isZip(start)) return
  const expected = `${name} to be a zip, which torch.save writes since PyTorch 1.6`
  const again =
    'Load it with PyTorch, and save it again: torch.save(torch.load(path, weights_only=True), path).'
  if (isPickle(start)) refuse(expected, "PyTorch's older format, a row of pickles", again)
  const [kind = 'other bytes', cure = DAMAGED] = otherKindOf(start) ?? []
  refuse(expected, size < START_BYTES ? `a file of ${size} bytes` : kind, cure)
}

function findPickle(entries: ZipEntries, file: string): ZipEntry {
  const found = [...entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
  const [pickle, second] = found
  if (pickle && entries.has(pickle.name.replace(/data\.pkl$/, 'constants.pkl'))) {
    refuse(
      `${file} to hold a state dict`,
      'a program of TorchScript',
      'Save its state_dict() with torch.save.',
    )
  }
  if (pickle && !second) return pickle
  return refuse(
    `one data.pkl in ${file}, as torch.save writes it`,
    pickle ? 'several' : 'none',
    'It is a zip of something else.',
  )
}

async function readChecked(
  source: ByteSource,
  { name, offset, size, crc }: ZipEntry,
  options?: ReadOptions,
): Promise<Uint8Array> {
  const what = `${name} in ${source.name}`
  if (size > MAX_PICKLE_BYTES) {
    refuse(
      `${what} to have at most ${MAX_PICKLE_BYTES} bytes`,
      String(size),
      'Save the model in several files.',
    )
  }
  const bytes = await source.read(offset, size, options)
  const found = crc32(bytes)
  if (found === crc) return bytes
  return refuse(`${what} to have the checksum ${hex(crc)}`, hex(found), DAMAGED)
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}

async function isBig(source: ByteSource, entry: ZipEntry, options?: ReadOptions): Promise<boolean> {
  const bytes = entry.size > START_BYTES ? undefined : await readChecked(source, entry, options)
  const order = bytes && new TextDecoder().decode(bytes)
  if (order === 'little' || order === 'big') return order === 'big'
  return refuse(
    `the byte order of ${source.name} to be little or big`,
    order === undefined ? 'more' : JSON.stringify(order),
    DAMAGED,
  )
}

/** One note for all tensors that are one with an earlier one, as tied weights are. */
function sharedNotes(
  windows: ReadonlyMap<string, Window>,
  nameOf: ReadonlyMap<string, string>,
): CheckpointNote[] {
  const first = new Map<string, string>()
  const pairs: string[] = []
  for (const [key, { range, dtype, shape, nbytes }] of windows) {
    if (nbytes === 0 || range.length !== nbytes || range.source.size === nbytes) continue
    const place = `${range.offset} ${dtype} ${shape.join()}`
    const name = nameOf.get(key) as string
    const other = first.get(place)
    if (other === undefined) first.set(place, name)
    else pairs.push(`${name} and ${other}`)
  }
  const [pair] = pairs
  if (pair === undefined) return []
  const more = pairs.length > 1 ? `, and ${pairs.length - 1} more` : ''
  return [
    {
      kind: 'shared',
      name: pair.slice(0, pair.indexOf(' ')),
      message: `Tensors share their data: ${pair}${more}.`,
    },
  ]
}
