/** @file Pickles as Python writes them (protocol 2), for tests of readers. */

/** A class or function of Python, by its name. */
export class PyGlobal {
  readonly module: string
  readonly name: string

  constructor(module: string, name: string) {
    this.module = module
    this.name = name
  }
}

/** What `callable(*args)` gives, with the state that it gets then; `isNew` for `cls.__new__(cls, *args)`. */
export class PyCall {
  readonly callable: unknown
  readonly args: readonly unknown[]
  readonly state: unknown
  readonly isNew: boolean
  /** Items that are set in it, as those of an OrderedDict. */
  readonly items: readonly (readonly [unknown, unknown])[]

  constructor(
    callable: unknown,
    args: readonly unknown[],
    options: {
      state?: unknown
      isNew?: boolean
      items?: Iterable<readonly [unknown, unknown]>
    } = {},
  ) {
    this.callable = callable
    this.args = args
    this.state = options.state
    this.isNew = options.isNew ?? false
    this.items = [...(options.items ?? [])]
  }
}

export class PyTuple {
  readonly items: readonly unknown[]

  constructor(...items: readonly unknown[]) {
    this.items = items
  }
}

export class PyFloat {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** A persistent id: something that lies outside of the pickle. */
export class PyPersistent {
  readonly id: unknown

  constructor(id: unknown) {
    this.id = id
  }
}

/** Bytes that are put in as they are. */
export class PyRaw {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

const text = new TextEncoder()

/**
 * A pickle of `value`: null, booleans, numbers, text, arrays (lists), maps (dicts) and the classes of this file.
 * Whatever comes twice is remembered, as Python does.
 */
export function pickle(value: unknown): Uint8Array<ArrayBuffer> {
  const writer = new PickleWriter()
  writer.bytes.push(0x80, 2)
  writer.write(value)
  writer.bytes.push(0x2e)
  return Uint8Array.from(writer.bytes)
}

class PickleWriter {
  readonly bytes: number[] = []
  readonly #memo = new Map<unknown, number>()

  write(value: unknown): void {
    if (value === null) return this.#put(0x4e)
    if (typeof value === 'boolean') return this.#put(value ? 0x88 : 0x89)
    if (typeof value === 'number') return this.#integer(value)
    if (value instanceof PyFloat) return this.#float(value.value)
    if (value instanceof PyRaw) return value.bytes.forEach((byte) => this.#put(byte))
    const known = this.#memo.get(value)
    if (known !== undefined) {
      return known < 256 ? this.#put(0x68, known) : this.#put(0x6a, ...uint32(known))
    }
    this.#object(value)
  }

  #object(value: unknown): void {
    if (typeof value === 'string') {
      const encoded = text.encode(value)
      this.#put(0x58, ...uint32(encoded.length), ...encoded)
      this.#remember(value)
    } else if (value instanceof PyGlobal) {
      this.#put(0x63, ...text.encode(`${value.module}\n${value.name}\n`))
      this.#remember(value)
    } else if (value instanceof PyTuple) this.#tuple(value)
    else if (value instanceof PyPersistent) {
      this.write(value.id)
      this.#put(0x51)
    } else if (Array.isArray(value)) {
      this.#put(0x5d)
      this.#remember(value)
      this.#many(value, 0x65)
    } else if (value instanceof Map) {
      this.#put(0x7d)
      this.#remember(value)
      this.#many([...value].flat(), 0x75)
    } else if (value instanceof PyCall) this.#call(value)
    else throw new Error(`No pickle of ${String(value)}`)
  }

  #call(call: PyCall): void {
    this.write(call.callable)
    this.write(new PyTuple(...call.args))
    this.#put(call.isNew ? 0x81 : 0x52)
    this.#remember(call)
    this.#many(call.items.flat(), 0x75)
    if (call.state === undefined) return
    this.write(call.state)
    this.#put(0x62)
  }

  #tuple(tuple: PyTuple): void {
    const { items } = tuple
    if (items.length === 0) return this.#put(0x29)
    if (items.length > 3) this.#put(0x28)
    for (const item of items) this.write(item)
    this.#put(items.length > 3 ? 0x74 : 0x84 + items.length)
    this.#remember(tuple)
  }

  #many(items: readonly unknown[], op: number): void {
    if (items.length === 0) return
    this.#put(0x28)
    for (const item of items) this.write(item)
    this.#put(op)
  }

  #integer(value: number): void {
    if (!Number.isInteger(value)) return this.#float(value)
    if (value >= 0 && value < 256) return this.#put(0x4b, value)
    if (value >= 0 && value < 65536) return this.#put(0x4d, value & 255, value >> 8)
    if (value === (value | 0)) return this.#put(0x4a, ...uint32(value))
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true)
    this.#put(0x8a, 8, ...bytes)
  }

  #float(value: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value)
    this.#put(0x47, ...bytes)
  }

  #remember(value: unknown): void {
    const index = this.#memo.size
    this.#memo.set(value, index)
    if (index < 256) this.#put(0x71, index)
    else this.#put(0x72, ...uint32(index))
  }

  #put(...bytes: readonly number[]): void {
    for (const byte of bytes) this.bytes.push(byte)
  }
}

function uint32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255]
}
