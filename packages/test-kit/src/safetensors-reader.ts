/**
 * @file A second safetensors reader, written apart from `@ao/safetensors` so that tests of files do not
 * trust the code under test. Few checks, whole file in memory.
 */

import { wrongArgument } from './errors.ts'

/** One stored tensor. */
export interface RawTensor {
  /** As in the header: `F32`, `BF16`, `I8`, ... */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Little-endian, row-major; at the start of a buffer, so that any typed array can show them. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** What a safetensors file holds. */
export interface RawFile {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, RawTensor>
}

interface HeaderEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** Takes the bytes of a whole safetensors file apart. */
export function parseRawSafetensors(file: Uint8Array): RawFile {
  if (Object.prototype.toString.call(file) !== '[object Uint8Array]') {
    throw wrongArgument('the bytes of a file', file)
  }
  try {
    return parse(file)
  } catch (cause) {
    throw new Error(`[@ao/test-kit] Expected a safetensors file, got ${String(cause)}.`, { cause })
  }
}

function parse(file: Uint8Array): RawFile {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const data = 8 + Number(view.getBigUint64(0, true))
  const text = new TextDecoder().decode(file.subarray(8, data))
  const header = JSON.parse(text) as Record<string, unknown>
  const tensors = new Map<string, RawTensor>()
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const { dtype, shape, data_offsets: offsets } = value as HeaderEntry
    const bytes = new Uint8Array(file.subarray(data + offsets[0], data + offsets[1]))
    tensors.set(name, { dtype, shape, bytes })
  }
  return { metadata: (header['__metadata__'] ?? {}) as Record<string, string>, tensors }
}
