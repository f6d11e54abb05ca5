/**
 * @file A second safetensors reader, written apart from `@ao/safetensors` so that tests of files do not
 * trust the code under test. No checks, whole file in memory.
 */

import { readFileSync } from 'node:fs'

/** One stored tensor. */
export interface RawTensor {
  /** As in the header: `F32`, `BF16`, `I8`, ... */
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export interface RawFile {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, RawTensor>
}

interface HeaderEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** Reads a whole safetensors file. */
export function readRawSafetensors(path: string | URL): RawFile {
  const file = readFileSync(path)
  const headerLength = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<string, unknown>
  const data = 8 + headerLength
  const tensors = new Map<string, RawTensor>()
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const { dtype, shape, data_offsets: offsets } = value as HeaderEntry
    // A copy, so that any element type is aligned.
    const bytes = new Uint8Array(file.subarray(data + offsets[0], data + offsets[1]))
    tensors.set(name, { dtype, shape, bytes })
  }
  return { metadata: (header['__metadata__'] ?? {}) as Record<string, string>, tensors }
}
