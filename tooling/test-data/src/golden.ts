/**
 * @file Golden vectors: what torchao itself gave, as files in `tooling/goldens`.
 *
 * `<group>.json` lists cases; their tensors lie in `<group>.safetensors`. `spec/*.json` hold small cases
 * with their numbers inside.
 */

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseRawSafetensors, type RawFile, type RawTensor } from '@ao/test-kit'

/** A tensor type's name in safetensors, and the dtype it stands for. */
const DTYPES: Readonly<Record<string, string>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F8_E4M3: 'float8_e4m3fn',
  F8_E5M2: 'float8_e5m2',
  I8: 'int8',
  U8: 'uint8',
  I16: 'int16',
  I32: 'int32',
  I64: 'int64',
  BOOL: 'bool',
}

/** Makes a tensor of the code under test from stored bytes. */
export type MakeTensor<T> = (dtype: string, shape: readonly number[], bytes: Uint8Array) => T

export interface GoldenCase<T> {
  readonly name: string
  readonly op: string
  readonly args: Readonly<Record<string, any>>
  readonly inputs: Readonly<Record<string, T>>
  readonly outputs: Readonly<Record<string, T>>
}

interface StoredCase {
  readonly name: string
  readonly op: string
  readonly args: Record<string, unknown>
  readonly inputs: Record<string, string>
  readonly outputs: Record<string, string>
}

/** Path of a file or folder in the golden vectors, such as `checkpoints/int8wo/model.safetensors`. */
export function goldenPath(path: string): string {
  return fileURLToPath(new URL(`../../goldens/${path}`, import.meta.url))
}

/** All cases of a group, with their tensors made by `make`. */
export function loadGolden<T>(group: string, make: MakeTensor<T>): GoldenCase<T>[] {
  const { cases } = JSON.parse(readFileSync(goldenPath(`${group}.json`), 'utf8')) as {
    cases: StoredCase[]
  }
  const { tensors } = readRawSafetensors(goldenPath(`${group}.safetensors`))
  const resolve = (keys: Record<string, string>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(keys).map(([field, key]) => [
        field,
        makeRaw(tensors.get(key) as RawTensor, make),
      ]),
    )
  return cases.map((stored) => ({
    ...stored,
    inputs: resolve(stored.inputs),
    outputs: resolve(stored.outputs),
  }))
}

/** A whole safetensors file, read without the code under test. */
export function readRawSafetensors(path: string | URL): RawFile {
  return parseRawSafetensors(readFileSync(path))
}

/** All tensors of a safetensors file, made by `make`. */
export function loadTensors<T>(path: string, make: MakeTensor<T>): Map<string, T> {
  const { tensors } = readRawSafetensors(path)
  return new Map([...tensors].map(([name, raw]) => [name, makeRaw(raw, make)]))
}

function makeRaw<T>(raw: RawTensor, make: MakeTensor<T>): T {
  return make(DTYPES[raw.dtype] ?? raw.dtype, raw.shape, raw.bytes)
}

/** Cases of a small JSON group, as stored. NaN and infinities are strings there: see {@link toNumbers}. */
export function loadSpecGolden(group: string): Record<string, any>[] {
  const text = readFileSync(goldenPath(`spec/${group}.json`), 'utf8')
  return (JSON.parse(text) as { cases: Record<string, unknown>[] }).cases
}

/** Nested lists of numbers with "NaN", "Infinity" and "-Infinity" made numbers. */
export function toNumbers<T>(nested: T): T {
  if (Array.isArray(nested)) return nested.map(toNumbers) as T
  return (typeof nested === 'string' ? Number(nested) : nested) as T
}
