/**
 * @file Tensors as bytes of the file. Most lie there as safetensors hold them; the others are put in order
 * when they are read.
 */

import type { ByteRange, ByteSource, FileDType, FileTensor } from '@ao/safetensors'
import { DAMAGED, quote, refuse } from './errors.ts'
import { MAX_RANK } from './limits.ts'
import { fileDTypeOf, itemSizeOf, Narrowed, TorchTensor, type Part, type Zeros } from './values.ts'
import type { ZipEntries } from './zip.ts'

/** What tensors need to know of their file. */
export interface TensorFile {
  readonly source: ByteSource
  readonly entries: ZipEntries
  /** Folder of all entries, with its slash. */
  readonly root: string
  readonly isBigEndian: boolean
}

/** A tensor that was found to lie in its file. */
export interface Window extends FileTensor {
  /** Where to read its bytes in order: in the file itself, or in one that puts them in order. */
  readonly range: ByteRange
}

/** Where a tensor is in its file, in bytes. */
interface Place {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly itemSize: number
  readonly start: number
  /** Of all that lies between its first and its last element. */
  readonly span: number
  readonly swaps: boolean
}

/**
 * Finds a part of a tensor in its file, or makes one that the file has in another form.
 *
 * @param what - its name in messages
 */
export function findPart(part: Part, file: TensorFile, what: string): Window {
  if (part instanceof TorchTensor) return findWindow(part, file, what)
  return part instanceof Narrowed
    ? narrowed(findWindow(part.tensor, file, what), what)
    : zeros(part, file, what)
}

/**
 * Finds a tensor in its file.
 *
 * @param what - the tensor's name in messages
 * @throws {@link FormatError} for one that reaches out of its storage, or is larger than its file
 */
function findWindow(tensor: TorchTensor, file: TensorFile, what: string): Window {
  const { source } = file
  const { shape, strides } = tensor
  const dtype = dtypeOf(tensor, what)
  const itemSize = itemSizeOf(dtype)
  if (shape.length !== strides.length || shape.length > MAX_RANK) {
    refuse(
      `a stride for each size of ${what}, and at most ${MAX_RANK}`,
      `${shape.length} and ${strides.length}`,
      DAMAGED,
    )
  }
  const nbytes = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, itemSize)
  if (nbytes > source.size) {
    refuse(
      `${what} to be smaller than ${source.name}`,
      `${nbytes} bytes`,
      'It repeats a few numbers: save it with .contiguous(), or get the file from somebody you trust.',
    )
  }
  const last = shape.reduce((sum, size, d) => sum + (size - 1) * (strides[d] as number), 0)
  const span = nbytes === 0 ? 0 : (last + 1) * itemSize
  const { offset, size } = storageOf(tensor, file, what)
  const start = nbytes === 0 ? 0 : tensor.offset * itemSize
  if (start + span > size) {
    refuse(
      `${what} to lie in its storage of ${size} bytes`,
      `bytes ${start} to ${start + span}`,
      DAMAGED,
    )
  }
  const swaps = file.isBigEndian && itemSize > 1
  const place: Place = { shape, strides, itemSize, start: offset + start, span, swaps }
  const isInOrder = !swaps && isContiguous(shape, strides)
  const range = isInOrder
    ? { source, offset: place.start, length: nbytes }
    : { source: ordered(source, place, nbytes, what), offset: 0, length: nbytes }
  return { dtype, shape, offset: place.start, nbytes, range }
}

function dtypeOf({ dtype }: TorchTensor, what: string): FileDType {
  return (
    fileDTypeOf(dtype) ??
    refuse(
      `${what} to be of a dtype that safetensors have`,
      dtype.name,
      'Convert it to another dtype before it is saved.',
    )
  )
}

/** The zip entry of its storage. */
function storageOf(
  { storage }: TorchTensor,
  { entries, root, source }: TensorFile,
  what: string,
): { readonly offset: number; readonly size: number } {
  const entry = entries.get(`${root}data/${storage.key}`)
  if (!entry) {
    return refuse(
      `the storage ${quote(storage.key)} of ${what} in ${source.name}`,
      'no such entry',
      DAMAGED,
    )
  }
  const dtype = storage.dtype && fileDTypeOf(storage.dtype)
  const size = storage.elements * (dtype ? itemSizeOf(dtype) : 1)
  if (size > entry.size) {
    refuse(
      `${size} bytes of the storage ${quote(storage.key)} in ${source.name}`,
      String(entry.size),
      DAMAGED,
    )
  }
  return { offset: entry.offset, size }
}

/** Whether elements follow each other in row-major order. Strides along sizes of 1 mean nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] === 0) return true
    if (shape[d] !== 1 && strides[d] !== expected) return false
    expected *= shape[d] as number
  }
  return true
}

/** The bytes of one tensor, in row-major order and little-endian. */
function ordered(source: ByteSource, place: Place, size: number, what: string): ByteSource {
  let whole: Promise<Uint8Array<ArrayBuffer>> | undefined
  return {
    name: `${what} in ${source.name}`,
    size,
    // Pieces are asked for one after the other: the tensor is kept until the last one.
    read: async (offset, length, options) => {
      whole ??= source
        .read(place.start, place.span, options)
        .then((bytes) => gather(bytes, place, size))
      const pending = whole
      if (offset + length >= size) whole = undefined
      try {
        const bytes = await pending
        return length === size ? bytes : bytes.slice(offset, offset + length)
      } catch (error) {
        whole = undefined
        throw error
      }
    },
    close: async () => undefined,
  }
}

function gather(from: Uint8Array, place: Place, size: number): Uint8Array<ArrayBuffer> {
  const { shape, strides, itemSize, swaps } = place
  const to = new Uint8Array(size)
  const inner = shape.at(-1) ?? 1
  const step = (strides.at(-1) ?? 0) * itemSize
  const index = new Array<number>(Math.max(0, shape.length - 1)).fill(0)
  let row = 0
  for (let at = 0; at < size;) {
    for (let i = 0, place = row; i < inner; i++, place += step) {
      for (let b = 0; b < itemSize; b++) to[at++] = from[place + b] as number
    }
    for (let d = index.length - 1; d >= 0; d--) {
      const stride = (strides[d] as number) * itemSize
      row += stride
      if (++(index[d] as number) < (shape[d] as number)) break
      row -= (shape[d] as number) * stride
      index[d] = 0
    }
  }
  if (swaps) for (let at = 0; at < size; at += itemSize) to.subarray(at, at + itemSize).reverse()
  return to
}

/** int32 or int64 whose numbers fit into int8, as int8. */
function narrowed(window: Window, what: string): Window {
  const { dtype, shape, offset, nbytes, range } = window
  const wide = itemSizeOf(dtype)
  const size = nbytes / wide
  const source: ByteSource = {
    name: `${what} in ${range.source.name}`,
    size,
    read: async (start, length, options) => {
      const at = range.offset + start * wide
      return toInt8(await range.source.read(at, length * wide, options), wide, what)
    },
    close: async () => undefined,
  }
  return { dtype: 'I8', shape, offset, nbytes: size, range: { source, offset: 0, length: size } }
}

function toInt8(from: Uint8Array, wide: number, what: string): Uint8Array<ArrayBuffer> {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength)
  const to = new Uint8Array(from.length / wide)
  for (let i = 0; i < to.length; i++) {
    const value = wide === 8 ? Number(view.getBigInt64(8 * i, true)) : view.getInt32(4 * i, true)
    if (value < -128 || value > 127) refuse(`${what} to fit into int8`, String(value), DAMAGED)
    to[i] = value
  }
  return to
}

/** int8 zeros. */
function zeros(
  { shape }: Zeros,
  { source: { name, size: most } }: TensorFile,
  what: string,
): Window {
  const size = shape.reduce((product, length) => product * length, 1)
  if (size > most) refuse(`${what} to be smaller than ${name}`, `${size} bytes`, DAMAGED)
  const source: ByteSource = {
    name: `${what} in ${name}`,
    size,
    read: async (_, length) => new Uint8Array(length),
    close: async () => undefined,
  }
  return { dtype: 'I8', shape, offset: 0, nbytes: size, range: { source, offset: 0, length: size } }
}
