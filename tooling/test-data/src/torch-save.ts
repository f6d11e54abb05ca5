/** @file Files as `torch.save` writes them, for tests of readers. */

import { PyCall, PyGlobal, PyPersistent, pickle, PyTuple } from './pickle-writer.ts'

/** An entry of a zip; what is given besides name and bytes makes it a damaged one. */
export interface ZipPart {
  readonly name: string
  readonly bytes: Uint8Array
  readonly method?: number
  readonly crc?: number
  readonly flags?: number
  /** Sizes as the directory says them. */
  readonly storedSize?: number
  readonly size?: number
  /** Where the directory has it. */
  readonly header?: number
  /** Name in the local header. */
  readonly localName?: string
  /** Sizes and place in a zip64 field of the directory. */
  readonly zip64?: boolean
}

const NONE32 = 0xffffffff
const text = new TextEncoder()

/**
 * A zip as PyTorch writes it: entries stored as they are, each beginning at a multiple of 64, a descriptor behind
 * each, and a zip64 record at the end.
 */
export function torchZip(
  parts: readonly ZipPart[],
  { zip64 = true }: { readonly zip64?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const bytes: Uint8Array[] = []
  let at = 0
  const put = (part: Uint8Array): void => {
    bytes.push(part)
    at += part.length
  }
  const directory: Uint8Array[] = []
  for (const part of parts) {
    const { name, bytes: data, method = 0, flags = 0x808, crc = crc32(data) } = part
    const header = part.header ?? at
    const local = text.encode(part.localName ?? name)
    const start = at + 30 + local.length + 4
    const padding = (64 - (start % 64)) % 64
    const extra = fields([0x4246, 2], [padding, 2], [new Uint8Array(padding).fill(0x5a)])
    put(
      fields(
        [0x04034b50, 4],
        [0, 2],
        [flags, 2],
        [method, 2],
        [0, 8],
        [0, 8],
        [local.length, 2],
        [extra.length, 2],
        [local],
        [extra],
      ),
    )
    put(data)
    if (flags & 8) put(fields([0x08074b50, 4], [crc, 4], [data.length, 4], [data.length, 4]))
    const size = part.size ?? data.length
    const stored = part.storedSize ?? size
    const own = text.encode(name)
    const wide = part.zip64
      ? fields([1, 2], [24, 2], [size, 8], [stored, 8], [header, 8])
      : new Uint8Array(0)
    const short = (value: number): number => (part.zip64 ? NONE32 : value)
    directory.push(
      fields(
        [0x02014b50, 4],
        [0, 4],
        [flags, 2],
        [method, 2],
        [0, 4],
        [crc, 4],
        [short(stored), 4],
        [short(size), 4],
        [own.length, 2],
        [wide.length, 2],
        [0, 10],
        [short(header), 4],
        [own],
        [wide],
      ),
    )
  }
  const offset = at
  for (const entry of directory) put(entry)
  const length = at - offset
  const count = parts.length
  if (zip64) {
    const place = at
    put(
      fields(
        [0x06064b50, 4],
        [44, 8],
        [45, 2],
        [45, 2],
        [0, 8],
        [count, 8],
        [count, 8],
        [length, 8],
        [offset, 8],
      ),
    )
    put(fields([0x07064b50, 4], [0, 4], [place, 8], [1, 4]))
  }
  put(fields([0x06054b50, 4], [0, 4], [count, 2], [count, 2], [length, 4], [offset, 4], [0, 2]))
  return join(bytes)
}

function fields(...list: readonly ([number, number] | [Uint8Array])[]): Uint8Array {
  return join(
    list.map(([value, size]) => {
      if (typeof value !== 'number') return value
      const field = new Uint8Array(16)
      new DataView(field.buffer).setBigUint64(0, BigInt(value), true)
      return field.subarray(0, size)
    }),
  )
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** CRC-32, bit by bit. */
export function crc32(bytes: Uint8Array): number {
  let crc = NONE32
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return ~crc >>> 0
}

const STORAGES: Readonly<Record<string, readonly [name: string, itemSize: number]>> = {
  float32: ['FloatStorage', 4],
  float64: ['DoubleStorage', 8],
  float16: ['HalfStorage', 2],
  bfloat16: ['BFloat16Storage', 2],
  int64: ['LongStorage', 8],
  int32: ['IntStorage', 4],
  int16: ['ShortStorage', 2],
  int8: ['CharStorage', 1],
  uint8: ['ByteStorage', 1],
  bool: ['BoolStorage', 1],
}

const python = new Map<string, PyGlobal>()

/** A global, one value for each name. */
export function py(path: string): PyGlobal {
  const dot = path.lastIndexOf('.')
  const found = python.get(path) ?? new PyGlobal(path.slice(0, dot), path.slice(dot + 1))
  python.set(path, found)
  return found
}

export const orderedDict = (
  items: Iterable<readonly [unknown, unknown]> = [],
  state?: unknown,
): PyCall => new PyCall(py('collections.OrderedDict'), [], { items, state })

/** A tensor to save: a window on `bytes`, which several may share. */
export interface TorchTensorToSave {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
  /** Row-major unless given. */
  readonly strides?: readonly number[]
  readonly offset?: number
}

/** How a file is made. */
export interface TorchFileToSave {
  /** Folder of its entries. */
  readonly root?: string
  readonly byteOrder?: string
  /** Changes the entries of the zip before it is made. */
  readonly parts?: (parts: readonly ZipPart[]) => readonly ZipPart[]
}

/** Collects the storages of tensors while their pickle is made. */
export class TorchSaver {
  readonly #keys = new Map<Uint8Array, string>()

  /** A tensor, as `Tensor.__reduce_ex__` says it. */
  tensor({
    dtype,
    shape,
    bytes,
    offset = 0,
    strides = rowMajor(shape),
  }: TorchTensorToSave): PyCall {
    const [storage, itemSize] = STORAGES[dtype] ?? ['UntypedStorage', 1]
    const isTyped = dtype in STORAGES
    const key = this.#keys.get(bytes) ?? String(this.#keys.size)
    this.#keys.set(bytes, key)
    const type = py(isTyped ? `torch.${storage}` : 'torch.storage.UntypedStorage')
    const id = new PyTuple('storage', type, key, 'cpu', bytes.length / itemSize)
    const args = [
      new PyPersistent(id),
      offset,
      new PyTuple(...shape),
      new PyTuple(...strides),
      false,
      orderedDict(),
    ]
    return isTyped
      ? new PyCall(py('torch._utils._rebuild_tensor_v2'), args)
      : new PyCall(py('torch._utils._rebuild_tensor_v3'), [...args, py(`torch.${dtype}`)])
  }

  /** The file of a value, or of a pickle that is made. */
  file(
    value: unknown,
    { root = 'archive', byteOrder = 'little', parts = (list) => list }: TorchFileToSave = {},
  ): Uint8Array<ArrayBuffer> {
    const plain = (name: string, content: string): ZipPart => ({
      name: `${root}/${name}`,
      bytes: text.encode(content),
    })
    const entries: ZipPart[] = [
      { name: `${root}/data.pkl`, bytes: value instanceof Uint8Array ? value : pickle(value) },
      plain('byteorder', byteOrder),
      ...[...this.#keys].map(([bytes, key]) => ({ name: `${root}/data/${key}`, bytes })),
      plain('version', '3\n'),
    ]
    return torchZip(parts(entries))
  }
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, d) => shape.slice(d + 1).reduce((product, size) => product * size, 1))
}

/** A tensor subclass, as `TorchAOBaseTensor` is pickled. */
export function subclass(
  path: string,
  dtype: string,
  shape: readonly number[],
  state: Readonly<Record<string, unknown>>,
): PyCall {
  const type = py(path)
  const layout = new PyCall(py('torch.serialization._get_layout'), ['torch.strided'])
  const device = new PyCall(py('torch.device'), ['cpu'])
  const size = new PyTuple(...shape)
  const args = [
    type,
    py(`torch.${dtype}`),
    size,
    new PyTuple(...rowMajor(shape)),
    0,
    layout,
    device,
    false,
  ]
  return new PyCall(py('torch._tensor._rebuild_from_type_v2'), [
    ...[py('torch._utils._rebuild_wrapper_subclass'), type],
    ...[new PyTuple(...args), new Map(Object.entries(state))],
  ])
}

/** An object of a dataclass. */
export function dataclass(path: string, fields: Readonly<Record<string, unknown>> = {}): PyCall {
  const entries = Object.entries(fields)
  const state = entries.length > 0 ? { state: new Map(entries) } : {}
  return new PyCall(py(path), [], { isNew: true, ...state })
}

/** A member of an enum, by its value. */
export const enumValue = (path: string, value: unknown): PyCall => new PyCall(py(path), [value])

/** A whole state dict of plain tensors. */
export function torchSave(
  tensors: Iterable<readonly [name: string, tensor: TorchTensorToSave]>,
): Uint8Array<ArrayBuffer> {
  const saver = new TorchSaver()
  const items = [...tensors].map(([name, tensor]) => [name, saver.tensor(tensor)] as const)
  return saver.file(orderedDict(items, new Map([['_metadata', orderedDict()]])))
}
