/**
 * @file Reading a safetensors header.
 *
 * A file is: the header's length (u64, little-endian), the header (JSON, padded with spaces), the data.
 * The header names each tensor's dtype, shape and place in the data, and may hold `__metadata__`, a
 * map of strings. Tensors cover the data without holes or overlaps; everything is checked here.
 */

import { isJsonObject, type Json } from '@ao/base-tensor'
import { quote, refuse } from './errors.ts'
import { bitsOf, FILE_DTYPE_NAMES, isFileDType, type FileDType } from './file-dtype.ts'
import { MAX_HEADER_BYTES, MAX_RANK, MAX_TENSORS } from './limits.ts'
import { decodeUtf8, parseStrictJson } from './strict-json.ts'

/** Bytes of the header's length at the start of a file. */
export const LENGTH_BYTES = 8

/** Key of the metadata among the tensors. */
export const METADATA_KEY = '__metadata__'

/** A tensor as the header describes it. */
export interface FileTensor {
  readonly dtype: FileDType
  readonly shape: readonly number[]
  /** Where its bytes begin, counted from the start of the file. */
  readonly offset: number
  readonly nbytes: number
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, FileTensor>
}

/**
 * The header's length, from the first bytes of a file of `fileSize` bytes.
 *
 * @throws {@link FormatError} when no header of that length can be there
 */
export function parseHeaderLength(bytes: Uint8Array, fileSize: number, file: string): number {
  const length = Number(
    new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true),
  )
  if (length > MAX_HEADER_BYTES) {
    refuse(
      `${file} to have a header of at most ${MAX_HEADER_BYTES} bytes`,
      String(length),
      NOT_OURS,
    )
  }
  if (LENGTH_BYTES + length > fileSize) {
    refuse(`${file} to have a header of ${length} bytes`, `a file of ${fileSize} bytes`, CUT_OFF)
  }
  return length
}

/**
 * @param bytes - the header's JSON
 * @param fileSize - of the whole file, in bytes
 * @throws {@link FormatError} naming the file, the tensor and what is wrong with it
 */
export function parseHeader(bytes: Uint8Array, fileSize: number, file: string): Header {
  const what = `the header of ${file}`
  const text = decodeUtf8(bytes, what)
  if (!text.startsWith('{')) refuse(`${what} to begin with {`, quote(text.slice(0, 8)), NOT_OURS)
  const entries = Object.entries(parseStrictJson(text, what) as Readonly<Record<string, Json>>)
  if (entries.length > MAX_TENSORS) {
    refuse(`${file} to have at most ${MAX_TENSORS} tensors`, String(entries.length), NOT_OURS)
  }

  let metadata: ReadonlyMap<string, string> = new Map()
  const tensors: [string, FileTensor][] = []
  const dataStart = LENGTH_BYTES + bytes.byteLength
  for (const [name, entry] of entries) {
    if (isUnpaired(name)) {
      refuse(`tensor names of ${file} to be Unicode text`, quote(name), WRITE_AGAIN)
    }
    if (name === METADATA_KEY) metadata = readMetadata(entry, file)
    else tensors.push([name, readTensor(entry, dataStart, fileSize, tensorIn(file, name))])
  }
  tensors.sort(([, a], [, b]) => a.offset - b.offset || a.nbytes - b.nbytes)
  checkCoverage(tensors, dataStart, fileSize, file)
  return { metadata, tensors: new Map(tensors) }
}

function readMetadata(json: Json, file: string): Map<string, string> {
  const metadata = new Map<string, string>()
  if (!isJsonObject(json)) {
    return refuse(`${METADATA_KEY} of ${file} to be an object`, quote(json), WRITE_AGAIN)
  }
  for (const [key, value] of Object.entries(json)) {
    if (typeof value !== 'string') {
      refuse(
        `${METADATA_KEY} of ${file} to hold strings`,
        `${quote(value)} for ${quote(key)}`,
        'Write other values as their JSON text.',
      )
    }
    if (isUnpaired(key) || isUnpaired(value)) {
      refuse(`${METADATA_KEY} of ${file} to be Unicode text`, quote(key), WRITE_AGAIN)
    }
    metadata.set(key, value)
  }
  return metadata
}

function readTensor(json: Json, dataStart: number, fileSize: number, tensor: string): FileTensor {
  if (!isJsonObject(json)) return refuse(`${tensor} to be an object`, quote(json), WRITE_AGAIN)
  const dtype = readDType(own(json, 'dtype'), tensor)
  const shape = readShape(own(json, 'shape'), tensor)
  const [begin, end] = readOffsets(own(json, 'data_offsets'), tensor)
  const dataSize = fileSize - dataStart
  if (end > dataSize) {
    refuse(`the data of ${tensor} to end within ${dataSize} bytes of data`, String(end), CUT_OFF)
  }
  const nbytes = sizeOf(dtype, shape, tensor)
  if (end - begin !== nbytes) {
    refuse(
      `${tensor} to have ${nbytes} bytes for ${dtype} of shape [${shape.join(', ')}]`,
      `data_offsets [${begin}, ${end}] of ${end - begin} bytes`,
      WRITE_AGAIN,
    )
  }
  return { dtype, shape, offset: dataStart + begin, nbytes }
}

/** Whether text holds half of a surrogate pair, which UTF-8 cannot. */
export function isUnpaired(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}

function own(json: Readonly<Record<string, Json>>, key: string): Json | undefined {
  return Object.hasOwn(json, key) ? json[key] : undefined
}

function readDType(json: Json | undefined, tensor: string): FileDType {
  if (isFileDType(json)) return json
  return refuse(
    `the dtype of ${tensor} to be one of ${FILE_DTYPE_NAMES.join(', ')}`,
    quote(json),
    'A newer kind of file needs a newer version of this package.',
  )
}

function readShape(json: Json | undefined, tensor: string): readonly number[] {
  if (!Array.isArray(json) || !json.every(isSize)) {
    return refuse(`the shape of ${tensor} to be a list of sizes`, quote(json), WRITE_AGAIN)
  }
  if (json.length > MAX_RANK) {
    refuse(`${tensor} to have at most ${MAX_RANK} dimensions`, String(json.length), WRITE_AGAIN)
  }
  return Object.freeze(json)
}

function readOffsets(json: Json | undefined, tensor: string): [begin: number, end: number] {
  if (!Array.isArray(json) || json.length !== 2 || !json.every(isSize)) {
    return refuse(`data_offsets of ${tensor} to be two offsets`, quote(json), WRITE_AGAIN)
  }
  const [begin, end] = json as [number, number]
  if (begin > end) {
    refuse(`data_offsets of ${tensor} to begin before they end`, quote(json), WRITE_AGAIN)
  }
  return [begin, end]
}

/** A number that counts something: whole, not negative, and held exactly. */
function isSize(json: unknown): json is number {
  return Number.isSafeInteger(json) && !((json as number) < 0) && !Object.is(json, -0)
}

/** Bytes of a tensor, where they are a whole number that JavaScript holds exactly. */
export function sizeOf(dtype: FileDType, shape: readonly number[], tensor: string): number {
  // A zero anywhere makes the tensor empty, however large the other sizes are.
  const bits = shape.includes(0)
    ? 0
    : shape.reduce((product, size) => product * size, bitsOf(dtype))
  if (!Number.isSafeInteger(bits)) {
    refuse(`the shape of ${tensor} to have a size`, `[${shape.join(', ')}], too large`, WRITE_AGAIN)
  }
  if (bits % 8 !== 0) {
    refuse(`${tensor} to fill whole bytes`, `${bits} bits of ${dtype}`, WRITE_AGAIN)
  }
  return bits / 8
}

function checkCoverage(
  tensors: readonly (readonly [string, FileTensor])[],
  dataStart: number,
  fileSize: number,
  file: string,
): void {
  let covered = dataStart
  let before = ''
  for (const [name, { offset, nbytes }] of tensors) {
    if (offset < covered) {
      refuse(
        `tensors of ${file} to have data of their own`,
        `${quote(name)} overlapping ${quote(before)}`,
        WRITE_AGAIN,
      )
    }
    if (offset > covered) {
      refuse(
        `tensors of ${file} to cover all of its data`,
        `a hole of ${offset - covered} bytes before ${quote(name)}`,
        WRITE_AGAIN,
      )
    }
    covered = offset + nbytes
    before = name
  }
  if (covered < fileSize) {
    refuse(
      `tensors of ${file} to cover all of its data`,
      `${fileSize - covered} bytes after the last`,
      WRITE_AGAIN,
    )
  }
}

function tensorIn(file: string, name: string): string {
  return `${quote(name)} in ${file}`
}

const CUT_OFF = 'The file is cut off: copy or download it again.'
const NOT_OURS = 'Check that it is a safetensors file.'
const WRITE_AGAIN = 'The header is damaged: write or download the file again.'
