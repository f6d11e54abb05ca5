/**
 * @file GGUF files, version 3: metadata and tensors in one file, little-endian.
 *
 *     'GGUF' | version uint32 | tensor count uint64 | metadata count uint64
 *     for each entry   name | type uint32 | value
 *     for each tensor  name | rank uint32 | sizes uint64, innermost first | type uint32 | offset uint64
 *     padding to 32 bytes, then the data of the tensors, each at its offset, a multiple of 32
 *
 * A string is its length in bytes, uint64, and UTF-8. An array is the type of its elements, uint32, their
 * count, uint64, and they.
 */

import { numelOf, ValueError, takes } from '@ao/base-tensor'
import { bytesOf, concat } from './bytes.ts'
import { PACKAGE } from './errors.ts'
import type { GgufTensor } from './gguf-blocks.ts'

/** How a number of the metadata is stored. */
export type GgufNumberType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'uint64'
  | 'int64'
  | 'float32'
  | 'float64'

/** A metadata value. Numbers, and lists of them, say as which type they are stored. */
export type GgufValue =
  | string
  | boolean
  | readonly string[]
  | { readonly type: GgufNumberType; readonly value: number | readonly number[] }

/** What goes into a GGUF file. */
export interface GgufFile {
  /** Under the names of the GGUF specification, such as `general.architecture`. */
  readonly metadata: Readonly<Record<string, GgufValue>>
  readonly tensors: Readonly<Record<string, GgufTensor>>
}

const VERSION = 3
const ALIGNMENT = 32
const MAX_NAME_BYTES = 63 // llama.cpp ends names with a 0 in 64 bytes
const MAX_RANK = 4

/** ggml's numbers of tensor types, and the bytes that hold 32 elements. */
const TENSOR_TYPES = {
  F32: { id: 0, bytes: 128 },
  F16: { id: 1, bytes: 64 },
  Q4_0: { id: 2, bytes: 18 },
  Q8_0: { id: 8, bytes: 34 },
  BF16: { id: 30, bytes: 64 },
}

/** GGUF's numbers of value types. */
const NUMBER_TYPES: Readonly<Record<GgufNumberType, number>> = {
  ...{ uint8: 0, int8: 1, uint16: 2, int16: 3, uint32: 4, int32: 5, float32: 6 },
  ...{ uint64: 10, int64: 11, float64: 12 },
}
const BOOL = 7
const STRING = 8
const ARRAY = 9

/**
 * The bytes of a GGUF file. They are made in memory: for single layers and small models.
 *
 * @throws {@link ValueError} for names, shapes and numbers that do not fit, and for `general.alignment`:
 * it is 32
 */
export function writeGguf(file: GgufFile): Uint8Array {
  takes('o<metadata:o tensors:o>', file)
  const { metadata, tensors } = file
  const entries = Object.entries(metadata)
  const named = Object.entries(tensors)
  if (Object.hasOwn(metadata, 'general.alignment')) {
    throw refusal('metadata without general.alignment', 'it', `Files are aligned to ${ALIGNMENT}.`)
  }
  const parts = [
    new TextEncoder().encode('GGUF'),
    numbers('uint32', [VERSION]),
    numbers('uint64', [named.length, entries.length]),
    ...entries.flatMap(([name, value]) => [string(name), ...valueParts(value)]),
  ]
  let offset = 0
  for (const [name, tensor] of named) {
    parts.push(...tensorInfo(name, tensor, offset))
    offset += aligned(tensor.data.length)
  }
  const headerSize = parts.reduce((size, part) => size + part.length, 0)
  parts.push(new Uint8Array(aligned(headerSize) - headerSize))
  for (const [, { data }] of named) {
    parts.push(data, new Uint8Array(aligned(data.length) - data.length))
  }
  return concat(parts)
}

function tensorInfo(name: string, { type, shape, data }: GgufTensor, offset: number): Uint8Array[] {
  const nameBytes = string(name)
  const { id, bytes } = TENSOR_TYPES[type]
  if (nameBytes.length - 8 > MAX_NAME_BYTES || shape.length > MAX_RANK) {
    throw refusal(
      `tensors with names of at most ${MAX_NAME_BYTES} bytes and at most ${MAX_RANK} dimensions`,
      `${name} [${shape.join(', ')}]`,
    )
  }
  const size = (numelOf(shape) / 32) * bytes
  if (data.length !== size) {
    throw refusal(`${size} bytes for ${name}, ${type} [${shape.join(', ')}]`, String(data.length))
  }
  return [
    nameBytes,
    numbers('uint32', [shape.length]),
    numbers('uint64', shape.toReversed()),
    numbers('uint32', [id]),
    numbers('uint64', [offset]),
  ]
}

/** The type of a metadata value, and the value. */
function valueParts(value: GgufValue): Uint8Array[] {
  if (typeof value === 'string') return [numbers('uint32', [STRING]), string(value)]
  if (typeof value === 'boolean') {
    return [numbers('uint32', [BOOL]), numbers('uint8', [value ? 1 : 0])]
  }
  if (!('type' in value)) return [...arrayHead(STRING, value.length), ...value.map(string)]
  const type = NUMBER_TYPES[value.type]
  if (typeof value.value === 'number') {
    return [numbers('uint32', [type]), numbers(value.type, [value.value])]
  }
  return [...arrayHead(type, value.value.length), numbers(value.type, value.value)]
}

function arrayHead(elementType: number, length: number): Uint8Array[] {
  return [numbers('uint32', [ARRAY, elementType]), numbers('uint64', [length])]
}

function string(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  return concat([numbers('uint64', [bytes.length]), bytes])
}

/** @throws {@link ValueError} for numbers that the type would change, beyond rounding to float32 */
function numbers(type: GgufNumberType, values: readonly number[]): Uint8Array {
  const isFloat = type.startsWith('float')
  const array = isFloat || values.every(Number.isSafeInteger) ? arrayOf(type, values) : undefined
  if (array && (isFloat || values.every((value, i) => Number(array[i]) === value))) {
    return bytesOf(array)
  }
  throw refusal(`numbers that ${type} holds`, values.slice(0, 8).join(', '))
}

/** Numbers as the type stores them; integers wrap. */
function arrayOf(
  type: GgufNumberType,
  values: readonly number[],
): ArrayBufferView & ArrayLike<number | bigint> {
  switch (type) {
    case 'uint8':
      return Uint8Array.from(values)
    case 'int8':
      return Int8Array.from(values)
    case 'uint16':
      return Uint16Array.from(values)
    case 'int16':
      return Int16Array.from(values)
    case 'uint32':
      return Uint32Array.from(values)
    case 'int32':
      return Int32Array.from(values)
    case 'uint64':
      return BigUint64Array.from(values, BigInt)
    case 'int64':
      return BigInt64Array.from(values, BigInt)
    case 'float32':
      return Float32Array.from(values)
    case 'float64':
      return Float64Array.from(values)
  }
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT
}

function refusal(expected: string, got: string, cure?: string): ValueError {
  return new ValueError({
    package: PACKAGE,
    expected,
    got,
    ...(cure === undefined ? {} : { cure }),
  })
}
