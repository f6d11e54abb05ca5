/**
 * @file Reading a safetensors header.
 *
 * A file is: the header's length (u64, little-endian), the header (JSON, padded with spaces), the data.
 * The header names each tensor's dtype, shape and place in the data, and may hold `__metadata__`, a
 * map of strings. Tensors cover the data without holes or overlaps; everything is checked here.
 */

import { quote, quoteText, refuse } from './errors.ts'
import { bitsOf, FILE_DTYPE_NAMES, isFileDType, type FileDType } from './file-dtype.ts'
import { otherKindOf } from './file-kinds.ts'
import { isUnpaired, JsonScanner } from './json-scanner.ts'
import { MAX_HEADER_BYTES, MAX_METADATA, MAX_RANK, MAX_TENSORS } from './limits.ts'
import { decodeUtf8 } from './strict-json.ts'

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

/** What a file says of itself before its data. */
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
    const [other, cure] = otherKindOf(bytes) ?? []
    if (other !== undefined && cure !== undefined)
      refuse(`${file} to be a safetensors file`, other, cure)
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
  const json = new JsonScanner(decodeUtf8(bytes, what), what)
  if (json.peek() !== '{') {
    refuse(`${what} to begin with {`, quote(json.text.slice(0, 8)), NOT_OURS)
  }
  let metadata: ReadonlyMap<string, string> = new Map()
  const tensors: [string, FileTensor][] = []
  const dataStart = LENGTH_BYTES + bytes.byteLength
  json.object((name) => {
    if (isUnpaired(name)) {
      refuse(`tensor names of ${file} to be Unicode text`, quote(name), WRITE_AGAIN)
    }
    if (name === METADATA_KEY) {
      metadata = readMetadata(json, file)
      return
    }
    if (tensors.length === MAX_TENSORS) {
      refuse(`${file} to have at most ${MAX_TENSORS} tensors`, 'more', NOT_OURS)
    }
    tensors.push([name, readTensor(json, dataStart, fileSize, () => tensorIn(file, name))])
  })
  json.end()
  tensors.sort(([, a], [, b]) => a.offset - b.offset || a.nbytes - b.nbytes)
  checkCoverage(tensors, dataStart, fileSize, file)
  return { metadata, tensors: new Map(tensors) }
}

/** Null stands for none, as in the reference implementation. */
function readMetadata(json: JsonScanner, file: string): Map<string, string> {
  const metadata = new Map<string, string>()
  if (json.peek() !== '{') {
    const text = json.skip()
    if (text === 'null') return metadata
    refuse(`${METADATA_KEY} of ${file} to be an object`, quoteText(text), WRITE_AGAIN)
  }
  json.object((key) => {
    if (metadata.size === MAX_METADATA) {
      refuse(`${METADATA_KEY} of ${file} to have at most ${MAX_METADATA} keys`, 'more', NOT_OURS)
    }
    if (json.peek() !== '"') {
      refuse(
        `${METADATA_KEY} of ${file} to hold strings`,
        `${quoteText(json.skip())} for ${quote(key)}`,
        'Write other values as their JSON text.',
      )
    }
    const value = json.string()
    if (isUnpaired(key) || isUnpaired(value)) {
      refuse(`${METADATA_KEY} of ${file} to be Unicode text`, quote(key), WRITE_AGAIN)
    }
    metadata.set(key, value)
  })
  return metadata
}

/** A field as it was read, and its text for messages. */
interface Field<T> {
  readonly value: T | undefined
  readonly text: string
}

/** @param tensor - what messages call it, made only for them */
function readTensor(
  json: JsonScanner,
  dataStart: number,
  fileSize: number,
  tensor: () => string,
): FileTensor {
  if (json.peek() !== '{') {
    refuse(`${tensor()} to be an object`, quoteText(json.skip()), WRITE_AGAIN)
  }
  let dtypeField: Field<string> = MISSING
  let shapeField: Field<readonly number[]> = MISSING
  let offsetsField: Field<readonly number[]> = MISSING
  json.object((key) => {
    if (key === 'dtype') dtypeField = readText(json)
    else if (key === 'shape') shapeField = readSizes(json, MAX_RANK, tensor)
    else if (key === 'data_offsets') offsetsField = readSizes(json, Infinity, tensor)
    else json.skip()
  })
  const dtype = checkDType(dtypeField, tensor)
  const shape = checkShape(shapeField, tensor)
  const [begin, end] = checkOffsets(offsetsField, tensor)
  const dataSize = fileSize - dataStart
  if (end > dataSize) {
    refuse(`the data of ${tensor()} to end within ${dataSize} bytes of data`, String(end), CUT_OFF)
  }
  const nbytes = sizeOf(dtype, shape, tensor)
  if (end - begin !== nbytes) {
    refuse(
      `${tensor()} to have ${nbytes} bytes for ${dtype} of shape [${shape.join(', ')}]`,
      `data_offsets [${begin}, ${end}] of ${end - begin} bytes`,
      WRITE_AGAIN,
    )
  }
  return { dtype, shape, offset: dataStart + begin, nbytes }
}

const MISSING = { value: undefined, text: 'nothing' } as const

function readText(json: JsonScanner): Field<string> {
  if (json.peek() !== '"') return { value: undefined, text: json.skip() }
  const value = json.string()
  return { value, text: quote(value) }
}

/** A list of counts that are held exactly; undefined for anything else. */
function readSizes(
  json: JsonScanner,
  limit: number,
  tensor: () => string,
): Field<readonly number[]> {
  if (json.peek() !== '[') return { value: undefined, text: json.skip() }
  const start = json.at
  const sizes: number[] = []
  let valid = true
  let length = 0
  json.list(() => {
    const size = json.count()
    length++
    if (size === undefined) valid = false
    else if (length <= MAX_RANK) sizes.push(size)
  })
  if (valid && length > limit) {
    refuse(`${tensor()} to have at most ${limit} dimensions`, String(length), WRITE_AGAIN)
  }
  return { value: valid ? sizes : undefined, text: json.text.slice(start, json.last) }
}

function checkDType({ value, text }: Field<string>, tensor: () => string): FileDType {
  if (isFileDType(value)) return value
  return refuse(
    `the dtype of ${tensor()} to be one of ${FILE_DTYPE_NAMES.join(', ')}`,
    quoteText(text),
    'A newer kind of file needs a newer version of this package.',
  )
}

function checkShape({ value, text }: Field<readonly number[]>, tensor: () => string) {
  if (value) return Object.freeze(value)
  return refuse(`the shape of ${tensor()} to be a list of sizes`, quoteText(text), WRITE_AGAIN)
}

function checkOffsets(
  { value, text }: Field<readonly number[]>,
  tensor: () => string,
): readonly [begin: number, end: number] {
  if (value?.length !== 2) {
    return refuse(`data_offsets of ${tensor()} to be two offsets`, quoteText(text), WRITE_AGAIN)
  }
  const [begin, end] = value as [number, number]
  if (begin > end) {
    refuse(`data_offsets of ${tensor()} to begin before they end`, quoteText(text), WRITE_AGAIN)
  }
  return [begin, end]
}

/**
 * Bytes of a tensor. The reference implementation counts elements and bits in 64 bits, from the first
 * dimension on, and refuses what does not fit even where a zero follows; so does this.
 *
 * @param tensor - what messages call it, made only for them
 * @throws {@link FormatError} where they are no whole number that JavaScript holds exactly
 */
export function sizeOf(dtype: FileDType, shape: readonly number[], tensor: () => string): number {
  let elements = 1
  let fits = true
  for (const size of shape) {
    elements *= size
    fits &&= elements < 2 ** 64
  }
  const bits = elements * bitsOf(dtype)
  if (!fits || !Number.isSafeInteger(bits)) {
    refuse(
      `the shape of ${tensor()} to have a size`,
      `[${shape.join(', ')}], too large`,
      WRITE_AGAIN,
    )
  }
  if (bits % 8 !== 0) {
    refuse(`${tensor()} to fill whole bytes`, `${bits} bits of ${dtype}`, WRITE_AGAIN)
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
