/**
 * @file Pickle as data: a stack machine that knows lists, dicts, numbers and text, and nothing else. Names of
 * Python and calls go to {@link PickleWorld}, which knows an allow-list of them and runs no code either.
 */

import { DAMAGED, quote, refuse } from './errors.ts'
import { MAX_PICKLE_STEPS } from './limits.ts'
import { OP, refusedName } from './opcodes.ts'

/** A Python dict: keys and values in turn, in the order in which they were set. */
export class PickleDict {
  readonly items: unknown[] = []

  /** Pairs by text keys; the last one of equal keys counts, as in Python. */
  byText(): Map<string, unknown> {
    const map = new Map<string, unknown>()
    for (let i = 0; i < this.items.length; i += 2) {
      const key = this.items[i]
      if (typeof key === 'string') map.set(key, this.items[i + 1])
    }
    return map
  }
}

/** What names and calls in a pickle stand for. Each throws for what is not on its list. */
export interface PickleWorld {
  /** What a global is. */
  global(module: string, name: string): unknown
  /** What `persistent_load` gives: storages. */
  persistent(id: unknown): unknown
  /** What a call of a global gives. */
  reduce(callable: unknown, args: readonly unknown[]): unknown
  /** What `cls.__new__(cls, ...args)` gives. */
  newObject(cls: unknown, args: readonly unknown[]): unknown
  /** Gives an object its state. */
  build(object: unknown, state: unknown): void
}

const MARK = Symbol('mark')
const HIGHEST_PROTOCOL = 5

/**
 * The value that a pickle stands for.
 *
 * @param what - the pickle's name in messages
 * @throws {@link FormatError} for instructions, names and calls that are not allowed, each by its name, and for
 * a pickle that is damaged or too long
 */
export function unpickle(bytes: Uint8Array, world: PickleWorld, what: string): unknown {
  return new Unpickler(bytes, world, what).run()
}

class Unpickler {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #world: PickleWorld
  readonly #what: string
  readonly #stack: unknown[] = []
  readonly #memo = new Map<number, unknown>()
  #at = 0

  constructor(bytes: Uint8Array, world: PickleWorld, what: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#world = world
    this.#what = what
  }

  run(): unknown {
    for (let step = 0; step < MAX_PICKLE_STEPS; step++) {
      const op = this.#uint(1)
      if (op === OP.STOP) return this.#end()
      this.#step(op)
    }
    return refuse(
      `${this.#what} to have at most ${MAX_PICKLE_STEPS} instructions`,
      'more',
      'Save the model in several files: save_pretrained of transformers does, with max_shard_size.',
    )
  }

  #end(): unknown {
    const value = this.#pop()
    if (this.#stack.length > 0) this.#damaged('one value at its end', 'more')
    return value
  }

  #step(op: number): void {
    const stack = this.#stack
    switch (op) {
      case OP.PROTO:
        return this.#protocol(this.#uint(1))
      case OP.FRAME:
        return void this.#take(8)
      case OP.MARK:
        return void stack.push(MARK)
      case OP.NONE:
        return void stack.push(null)
      case OP.NEWTRUE:
        return void stack.push(true)
      case OP.NEWFALSE:
        return void stack.push(false)
      case OP.BININT1:
        return void stack.push(this.#uint(1))
      case OP.BININT2:
        return void stack.push(this.#uint(2))
      case OP.BININT:
        return void stack.push(this.#uint(4) | 0)
      case OP.LONG1:
        return void stack.push(this.#long(this.#uint(1)))
      case OP.BINFLOAT:
        return void stack.push(this.#view.getFloat64(this.#take(8)))
      case OP.BINUNICODE:
        return void stack.push(this.#text(this.#uint(4)))
      case OP.SHORT_BINUNICODE:
      case OP.SHORT_BINSTRING:
        return void stack.push(this.#text(this.#uint(1)))
      case OP.EMPTY_LIST:
      case OP.EMPTY_TUPLE:
        return void stack.push([])
      case OP.EMPTY_DICT:
        return void stack.push(new PickleDict())
      case OP.TUPLE:
        return void stack.push(this.#popToMark())
      case OP.TUPLE1:
      case OP.TUPLE2:
      case OP.TUPLE3:
        return void stack.push(this.#popMany(op - OP.TUPLE1 + 1))
      case OP.APPEND:
        return this.#append([this.#pop()])
      case OP.APPENDS:
        return this.#append(this.#popToMark())
      case OP.SETITEM:
        return this.#set(this.#popMany(2))
      case OP.SETITEMS:
        return this.#set(this.#popToMark())
      case OP.BINPUT:
        return void this.#memo.set(this.#uint(1), this.#top())
      case OP.LONG_BINPUT:
        return void this.#memo.set(this.#uint(4), this.#top())
      case OP.MEMOIZE:
        return void this.#memo.set(this.#memo.size, this.#top())
      case OP.BINGET:
        return void stack.push(this.#recall(this.#uint(1)))
      case OP.LONG_BINGET:
        return void stack.push(this.#recall(this.#uint(4)))
      default:
        return this.#worldly(op)
    }
  }

  /** Instructions that mean something of Python's world. */
  #worldly(op: number): void {
    const stack = this.#stack
    switch (op) {
      case OP.GLOBAL:
        return void stack.push(this.#world.global(this.#line(), this.#line()))
      case OP.STACK_GLOBAL: {
        const [module, name] = this.#popMany(2)
        if (typeof module !== 'string' || typeof name !== 'string') {
          return this.#damaged('a name of Python as two texts', 'something else')
        }
        return void stack.push(this.#world.global(module, name))
      }
      case OP.BINPERSID:
        return void stack.push(this.#world.persistent(this.#pop()))
      case OP.REDUCE: {
        const args = this.#list(this.#pop())
        return void stack.push(this.#world.reduce(this.#pop(), args))
      }
      case OP.NEWOBJ: {
        const args = this.#list(this.#pop())
        return void stack.push(this.#world.newObject(this.#pop(), args))
      }
      case OP.BUILD: {
        const state = this.#pop()
        return this.#world.build(this.#top(), state)
      }
      default:
        return refuse(
          `${this.#what} to have the instructions that torch.save writes`,
          `${refusedName(op)} at byte ${this.#at - 1}`,
          'Save the state dict again with torch.save, or convert it to safetensors where it was made.',
        )
    }
  }

  #protocol(version: number): void {
    if (version >= 2 && version <= HIGHEST_PROTOCOL) return
    this.#damaged(`a pickle of protocol 2 to ${HIGHEST_PROTOCOL}`, String(version))
  }

  #append(values: readonly unknown[]): void {
    const list = this.#list(this.#top())
    for (const value of values) list.push(value)
  }

  #set(items: readonly unknown[]): void {
    const dict = this.#top()
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0) {
      return this.#damaged('pairs for a dict', 'something else')
    }
    for (const item of items) dict.items.push(item)
  }

  #list(value: unknown): unknown[] {
    return Array.isArray(value) ? value : this.#damaged('a list or tuple', 'something else')
  }

  #top(): unknown {
    const { length } = this.#stack
    const value = this.#stack[length - 1]
    return length === 0 || value === MARK ? this.#damaged('a value on the stack', 'none') : value
  }

  #pop(): unknown {
    const value = this.#top()
    this.#stack.pop()
    return value
  }

  /** One to three values, in the order in which they were put there. */
  #popMany(count: number): unknown[] {
    const last = this.#pop()
    if (count === 1) return [last]
    const middle = this.#pop()
    return count === 2 ? [middle, last] : [this.#pop(), middle, last]
  }

  #popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK)
    if (mark < 0) return this.#damaged('a mark on the stack', 'none')
    const values = this.#stack.splice(mark + 1)
    this.#stack.pop()
    return values
  }

  #recall(index: number): unknown {
    const value = this.#memo.get(index)
    return value === undefined ? this.#damaged(`a value with the number ${index}`, 'none') : value
  }

  /** Where the next `length` bytes begin; the reader is behind them. */
  #take(length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at) this.#damaged(`${length} bytes at ${at}`, 'its end')
    this.#at += length
    return at
  }

  #uint(length: 1 | 2 | 4): number {
    const at = this.#take(length)
    if (length === 1) return this.#view.getUint8(at)
    return length === 2 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true)
  }

  /** A number beyond 32 bits, of 8 bytes at most. */
  #long(length: number): number | bigint {
    if (length > 8) this.#damaged('numbers of 64 bits at most', `one of ${8 * length}`)
    const at = this.#take(length)
    const bytes = this.#bytes.subarray(at, at + length)
    const bits = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    const value = BigInt.asIntN(8 * length, bits)
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }

  #text(length: number): string {
    const at = this.#take(length)
    try {
      return DECODER.decode(this.#bytes.subarray(at, at + length))
    } catch {
      return this.#damaged(`UTF-8 at byte ${at}`, 'other bytes')
    }
  }

  /** Text up to the end of a line. */
  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    const length = end - this.#at
    if (end < 0 || length > LONGEST_NAME) {
      this.#damaged(`a name of at most ${LONGEST_NAME} bytes`, end < 0 ? 'no end of it' : 'more')
    }
    const text = this.#text(length)
    this.#at++
    return text
  }

  #damaged(expected: string, got: string): never {
    return refuse(`${this.#what} to have ${expected}`, got, DAMAGED)
  }
}

const DECODER = /* @__PURE__ */ new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LONGEST_NAME = 512

/** What a value of a pickle is, in words. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof PickleDict) return `a dict of ${value.items.length / 2}`
  if (typeof value === 'string') return quote(value)
  return typeof value === 'object' ? `a ${value.constructor.name}` : String(value)
}
