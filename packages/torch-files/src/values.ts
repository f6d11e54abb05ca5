/** @file What names and calls in a pickle of PyTorch stand for: values that say what there is, and do nothing. */

import type { FileDType } from '@ao/safetensors'
import type { PickleDict } from './pickle.ts'

/** A dtype of PyTorch, such as `bfloat16`. */
export class TorchDType {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A class of storages; untyped ones count bytes. */
export class StorageClass {
  readonly dtype: TorchDType | undefined

  constructor(dtype: TorchDType | undefined) {
    this.dtype = dtype
  }
}

/** A function or class that may be called, by its name. */
export class Callable {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A class of torchao, by its name without its module. */
export class AoClass {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** An object of one: a dataclass, a named tuple, a member of an enum (`args` has its value). */
export class AoObject {
  readonly type: AoClass
  readonly args: readonly unknown[]
  state: PickleDict | undefined

  constructor(type: AoClass, args: readonly unknown[]) {
    this.type = type
    this.args = args
  }
}

/** Something that has no meaning here: a device, a layout of memory. */
export const OPAQUE: unique symbol = /* @__PURE__ */ Symbol('something without a meaning here')

/** Bytes of the file that tensors are windows on. */
export class Storage {
  /** Name of the zip entry, without the folder. */
  readonly key: string
  readonly dtype: TorchDType | undefined
  /** Elements of `dtype`, or bytes. */
  readonly elements: number

  constructor(key: string, dtype: TorchDType | undefined, elements: number) {
    this.key = key
    this.dtype = dtype
    this.elements = elements
  }
}

/** A window on a storage. Sizes are as the pickle says them: nothing has checked them yet. */
export class TorchTensor {
  readonly storage: Storage
  readonly dtype: TorchDType
  /** In elements. */
  readonly offset: number
  readonly shape: readonly number[]
  /** In elements. */
  readonly strides: readonly number[]

  constructor(
    storage: Storage,
    dtype: TorchDType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage
    this.dtype = dtype
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }
}

/** A tensor subclass of torchao: what it stands for, and its parts and attributes by name. */
export class AoTensor {
  readonly type: AoClass
  readonly dtype: TorchDType
  readonly shape: readonly number[]
  state: ReadonlyMap<string, unknown> = new Map()

  constructor(type: AoClass, dtype: TorchDType, shape: readonly number[]) {
    this.type = type
    this.dtype = dtype
    this.shape = shape
  }
}

/** int8 zeros that older classes left out. */
export class Zeros {
  readonly shape: readonly number[]

  constructor(shape: readonly number[]) {
    this.shape = shape
  }
}

/** A tensor of int32 or int64 that is int8 today. */
export class Narrowed {
  readonly tensor: TorchTensor

  constructor(tensor: TorchTensor) {
    this.tensor = tensor
  }
}

/** What a tensor class of today is made of. */
export type Part = TorchTensor | Narrowed | Zeros

export function isPart(value: unknown): value is Part {
  return value instanceof TorchTensor || value instanceof Narrowed || value instanceof Zeros
}

/** Names of PyTorch's dtypes, and those that safetensors have for them. */
const DTYPES: Readonly<Record<string, FileDType>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float8_e4m3fn: 'F8_E4M3',
  float8_e5m2: 'F8_E5M2',
  float8_e4m3fnuz: 'F8_E4M3FNUZ',
  float8_e5m2fnuz: 'F8_E5M2FNUZ',
  float8_e8m0fnu: 'F8_E8M0',
  complex64: 'C64',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
}

/** The dtype of that name in safetensors; undefined where they have none. */
export function fileDTypeOf({ name }: TorchDType): FileDType | undefined {
  return Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined
}

/** Bytes of an element in a storage. */
export function itemSizeOf(dtype: FileDType): number {
  return dtype === 'BOOL' ? 1 : Number(/\d+/.exec(dtype)?.[0]) / 8
}

const OTHER_DTYPES =
  /^(?:u?int[1-7]|complex(?:32|128)|float4_e2m1fn_x2|bits\w+|q(?:u?int8|int32|uint4x2|uint2x4))$/

/** Whether PyTorch has a dtype of that name. */
export function isTorchDType(name: string): boolean {
  return Object.hasOwn(DTYPES, name) || OTHER_DTYPES.test(name)
}
