/**
 * @file Planning a safetensors file: shapes fix all sizes, so the header is known before any data.
 *
 * Bytes are those of the reference writer: tensors by dtype and then by name, no spaces in the JSON, the
 * header padded with spaces to a multiple of 8. It writes metadata in no fixed order; here it is sorted.
 */

import { entriesOf } from './entries.ts'
import { takes } from '@ao/base-tensor'
import { quote, refuse } from './errors.ts'
import { FILE_DTYPE_NAMES, type FileDType } from './file-dtype.ts'
import { LENGTH_BYTES, METADATA_KEY, sizeOf, type FileTensor } from './header.ts'
import { isUnpaired } from './json-scanner.ts'
import { MAX_HEADER_BYTES } from './limits.ts'

/** What a layout needs to know of a tensor. */
export interface PlannedTensor {
  readonly dtype: FileDType
  readonly shape: readonly number[]
}

/** Where everything lies in a file that is not written yet. */
export interface FileLayout {
  /** The file's first bytes: length, JSON and padding. */
  readonly header: Uint8Array
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, FileTensor>
  /** Bytes of the whole file. */
  readonly size: number
}

/**
 * Where everything will lie in a file of these tensors.
 *
 * @throws {@link FormatError} for names that files cannot have or that come twice
 */
export function planLayout(
  entries: Iterable<readonly [name: string, tensor: PlannedTensor]>,
  metadata: ReadonlyMap<string, string> = new Map(),
): FileLayout {
  takes('oo<get:f size:n>', entries, metadata)
  const listed = [...entriesOf(entries)]
  for (const [, tensor] of listed) takes('o<dtype:x shape:s>', tensor)
  const sorted = listed.sort(
    ([nameA, a], [nameB, b]) =>
      FILE_DTYPE_NAMES.indexOf(a.dtype) - FILE_DTYPE_NAMES.indexOf(b.dtype) ||
      compareNames(nameA, nameB),
  )
  const fields = metadata.size > 0 ? [`"${METADATA_KEY}":${metadataJson(metadata)}`] : []
  const ranges = new Map<string, { readonly begin: number; readonly nbytes: number }>()
  let end = 0
  for (const [name, { dtype, shape }] of sorted) {
    checkName(name, ranges)
    const begin = end
    const nbytes = sizeOf(dtype, shape, () => quote(name))
    end += nbytes
    ranges.set(name, { begin, nbytes })
    fields.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`,
    )
  }
  const header = encodeHeader(`{${fields.join(',')}}`)
  const tensors = sorted.map(([name, { dtype, shape }]): [string, FileTensor] => {
    const { begin, nbytes } = ranges.get(name) as { begin: number; nbytes: number }
    return [name, { dtype, shape, offset: header.length + begin, nbytes }]
  })
  return { header, tensors: new Map(tensors), size: header.length + end }
}

function metadataJson(metadata: ReadonlyMap<string, string>): string {
  for (const entry of metadata) takes('xx', ...entry)
  const sorted = [...metadata].sort(([a], [b]) => compareNames(a, b))
  const pairs = sorted.map(([key, value]) => {
    if (isUnpaired(key) || isUnpaired(value)) {
      refuse('metadata to be Unicode text', quote(key), 'Remove unpaired surrogates.')
    }
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`
  })
  return `{${pairs.join(',')}}`
}

function checkName(name: string, taken: ReadonlyMap<string, unknown>): void {
  if (name === METADATA_KEY) {
    refuse('a tensor name', quote(name), 'Files keep that name for their metadata.')
  }
  if (isUnpaired(name)) {
    refuse('a tensor name of Unicode text', quote(name), 'Remove unpaired surrogates.')
  }
  if (taken.has(name)) {
    refuse('tensors with names of their own', `${quote(name)} twice`, 'Rename one of them.')
  }
}

function encodeHeader(json: string): Uint8Array {
  const text = new TextEncoder().encode(json)
  const padded = Math.ceil(text.length / 8) * 8
  if (padded > MAX_HEADER_BYTES) {
    refuse(
      `a header of at most ${MAX_HEADER_BYTES} bytes`,
      String(padded),
      'Readers refuse longer ones: split the file into shards.',
    )
  }
  const header = new Uint8Array(LENGTH_BYTES + padded).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true)
  header.set(text, LENGTH_BYTES)
  return header
}

/** The order of UTF-8 bytes. Strings compare by UTF-16 units, which puts surrogates elsewhere. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = utf8Rank(a.charCodeAt(i)) - utf8Rank(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
