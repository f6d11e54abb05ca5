/** @file The number types that a safetensors file can hold. */

import { quote, refuse } from './errors.ts'
import { takes } from '@ao/base-tensor'
import type { StoredDType } from '@ao/base-tensor'

/** A dtype by its name in files, such as `BF16`. */
export type FileDType =
  | `${'U' | 'I'}${8 | 16 | 32 | 64}`
  | `F${16 | 32 | 64}`
  | `F8_${'E4M3' | 'E5M2' | 'E4M3FNUZ' | 'E5M2FNUZ' | 'E8M0'}`
  | `F6_${'E2M3' | 'E3M2'}`
  | 'BF16'
  | 'C64'
  | 'F4'
  | 'BOOL'

interface FileDTypeInfo {
  readonly bits: number
  /** What it is here; absent for types that can be listed and copied, but not read as a tensor. */
  readonly stored?: StoredDType
}

// The order matters: files hold their tensors by dtype in this order, as the reference writer does.
const FILE_DTYPES: { readonly [D in FileDType]: FileDTypeInfo } = {
  U64: { bits: 64 },
  I64: { bits: 64, stored: 'int64' },
  F64: { bits: 64 },
  C64: { bits: 64 },
  F32: { bits: 32, stored: 'float32' },
  U32: { bits: 32 },
  I32: { bits: 32, stored: 'int32' },
  BF16: { bits: 16, stored: 'bfloat16' },
  F16: { bits: 16, stored: 'float16' },
  U16: { bits: 16 },
  I16: { bits: 16, stored: 'int16' },
  F8_E5M2FNUZ: { bits: 8 },
  F8_E4M3FNUZ: { bits: 8 },
  F8_E8M0: { bits: 8 },
  F8_E4M3: { bits: 8, stored: 'float8_e4m3fn' },
  F8_E5M2: { bits: 8, stored: 'float8_e5m2' },
  I8: { bits: 8, stored: 'int8' },
  U8: { bits: 8, stored: 'uint8' },
  F6_E3M2: { bits: 6 },
  F6_E2M3: { bits: 6 },
  F4: { bits: 4 },
  BOOL: { bits: 8, stored: 'bool' },
}

/** All of them, in the order in which files hold their tensors. */
export const FILE_DTYPE_NAMES: readonly FileDType[] = /* @__PURE__ */ Object.freeze(
  Object.keys(FILE_DTYPES) as FileDType[],
)

export function isFileDType(name: unknown): name is FileDType {
  return typeof name === 'string' && Object.hasOwn(FILE_DTYPES, name)
}

export function bitsOf(dtype: FileDType): number {
  if (!isFileDType(dtype))
    refuse('a dtype of safetensors files', quote(dtype), `Use ${FILE_DTYPE_NAMES.join(', ')}.`)
  return FILE_DTYPES[dtype].bits
}

/** The dtype of tensors read from `dtype`, or undefined where `@ao` has none. */
export function storedDTypeOf(dtype: FileDType): StoredDType | undefined {
  takes('x', dtype)
  return FILE_DTYPES[dtype]?.stored
}

/** The name in files of a tensor's dtype; every one has one. */
export function fileDTypeOf(dtype: StoredDType): FileDType {
  return FILE_DTYPE_NAMES.find((name) => storedDTypeOf(name) === dtype) as FileDType
}
