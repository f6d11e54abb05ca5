/**
 * @file TensorSubclass: a quantized tensor made of dense tensors and attributes.
 *
 * The counterpart of torchao's TorchAOBaseTensor. A format lists what it is made of in four static
 * arrays; from these the base class gives flatten and unflatten, to, clone, detach, contiguous, copy_,
 * toString and the file layout. What the format can *do* is its op table.
 */

import { hostFloat32 } from './cast.ts'
import { checkFinite } from './check-part.ts'
import { sameDevice, type Device } from './device.ts'
import type { DenseTensor } from './dense-tensor.ts'
import type { StoredDType } from './dtype.ts'
import { UnsupportedOpError, ValueError, fail } from './errors.ts'
import type { JsonCodec } from './json-codec.ts'
import type { AnyOp, Op } from './op.ts'
import { nameInConsole, Printable } from './printable.ts'
import { isTensor, takes } from './takes.ts'
import { numelOf } from './strided.ts'
import type { Tensor } from './tensor.ts'
import * as viewOps from './view-ops.ts'

/** One row of a format's op table. */
export interface OpImplementation {
  readonly opName: string
  readonly run: (...args: never) => unknown
}

/**
 * A row of an op table: what `op` does on tensors of the class that lists it.
 *
 * @remarks `implementNamed<typeof bmm>('bmm', ...)` says the same of an op whose reference a bundle need
 * not have: only its type is imported.
 */
/* @__NO_SIDE_EFFECTS__ */
export function implement<Args extends readonly unknown[], Result>(
  op: Op<Args, Result>,
  run: (...args: Args) => Result,
): OpImplementation {
  takes('o<reference:f>f', op, run)
  return { opName: op.opName, run }
}

/** {@link implement} for an op that is given by name and type. */
/* @__NO_SIDE_EFFECTS__ */
export function implementNamed<O extends AnyOp>(
  opName: string,
  run: (...args: Parameters<O>) => ReturnType<O>,
): OpImplementation {
  takes('xf', opName, run)
  return { opName, run }
}

/** Inner tensors and attributes by name: what a subclass's constructor takes. */
export type SubclassFields = Readonly<Record<string, unknown>>

/** What a subclass is made of, by name: how it lies in a file. */
export interface SubclassLayout {
  /** The class's name in files; torchao's `_type`. */
  readonly formatName: string
  /** Inner tensors that are always there. */
  readonly tensorDataNames: readonly string[]
  /** Inner tensors that may be undefined. */
  readonly optionalTensorDataNames: readonly string[]
  /** Attributes that are always there. */
  readonly tensorAttributeNames: readonly string[]
  /** Attributes that may be undefined. */
  readonly optionalTensorAttributeNames: readonly string[]
  /** How each attribute is written to and checked from files. */
  readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>>
}

/** The static side of a format: what generic code, such as a file reader, needs to know of it. */
export interface TensorSubclassType<
  T extends TensorSubclass = TensorSubclass,
> extends SubclassLayout {
  new (fields: never): T
  readonly ops: readonly OpImplementation[]
  /** What files hold instead of the class's own parts, if anything. */
  readonly storedForm?: StoredForm | undefined
}

/**
 * The form in which files hold tensors of a format whose own parts are made for kernels. Its layout is
 * that of another class, which can be read by whoever lists that one.
 */
export interface StoredForm extends SubclassLayout {
  /** A tensor of the format as parts of this form. */
  flatten(tensor: TensorSubclass): FlattenedTensor
  /** The tensor of the format from parts and attributes of this form. */
  unflatten(fields: SubclassFields): TensorSubclass
}

/** A subclass taken apart: present inner tensors, and all attributes. */
export interface FlattenedTensor {
  readonly tensors: Readonly<Record<string, DenseTensor>>
  readonly attributes: Readonly<Record<string, unknown>>
}

/**
 * A quantized weight: inner dense tensors plus attributes, used wherever a plain tensor is. torchao's
 * `TorchAOBaseTensor`.
 *
 * A format extends it: it lists the names of its inner tensors and attributes in the static arrays, its
 * ops in `ops`, and defines `dequantize`. The rest (`flatten`, `to`, `clone`, `copy_`, the layout in files)
 * follows from the lists. `shape` and `dtype` are those of the weight that the tensor stands for.
 */
export abstract class TensorSubclass extends Printable implements Tensor {
  /** The class's name in files; torchao's `_type`. */
  static readonly formatName: string
  /** Inner tensors that are always there. */
  static readonly tensorDataNames: readonly string[] = []
  /** Inner tensors that may be undefined. */
  static readonly optionalTensorDataNames: readonly string[] = []
  /** Attributes that are always there. */
  static readonly tensorAttributeNames: readonly string[] = []
  /** Attributes that may be undefined. */
  static readonly optionalTensorAttributeNames: readonly string[] = []
  /** How each attribute is written to files, and checked when it is read from them. */
  static readonly attributeCodecs: Readonly<Record<string, JsonCodec<unknown>>> = {}
  /** What the class can do; a row here goes before a row of an ancestor. */
  static readonly ops: readonly OpImplementation[] = []
  /** The parts that files hold, where they are not the class's own. */
  static readonly storedForm: StoredForm | undefined = undefined

  readonly shape: readonly number[]
  readonly dtype: StoredDType
  #isUnchecked = false

  /**
   * @param fields - inner tensors and attributes by their listed names
   * @param shape - the logical shape, of the weight that this stands for
   * @param dtype - the logical dtype
   */
  constructor(fields: SubclassFields, shape: readonly number[], dtype: StoredDType) {
    super()
    takes('osz', fields, shape, dtype)
    const type = this.constructor as typeof TensorSubclass
    this.shape = Object.freeze([...shape])
    this.dtype = dtype
    for (const name of [...type.tensorDataNames, ...type.tensorAttributeNames]) {
      const codec = type.attributeCodecs[name]
      const mayBeNull = codec && 'kind' in codec && codec.kind === 'optional'
      if (fields[name] === undefined && !mayBeNull) throw missingField(type.formatName, name)
    }
    for (const name of fieldNames(type)) {
      if (name === 'shape' || name === 'dtype') continue
      Object.defineProperty(this, name, { value: fields[name], enumerable: true })
    }
    nameInConsole(this)
  }

  /** The weight in full precision, in `dtype` (the logical dtype unless given). */
  abstract dequantize(dtype?: StoredDType): DenseTensor

  /** @throws {@link UnsupportedOpError}: it is dense tensors that have data */
  data(): never {
    throw fail(
      UnsupportedOpError,
      'a dense tensor to read',
      String(this).slice(0, 80),
      'Call dequantize() first.',
    )
  }

  get device(): Device {
    return firstTensor(this).device
  }

  get ndim(): number {
    return this.shape.length
  }

  get numel(): number {
    return numelOf(this.shape)
  }

  get nbytes(): number {
    return Object.values(this.flatten().tensors).reduce((sum, tensor) => sum + tensor.nbytes, 0)
  }

  /** Inner tensors that are there, required ones first, and all attributes, undefined ones too. */
  flatten(): FlattenedTensor {
    const type = this.constructor as typeof TensorSubclass
    const tensorNames = [...type.tensorDataNames, ...type.optionalTensorDataNames]
    const present = tensorNames.filter((name) => this.#field(name) !== undefined)
    const attributeNames = [...type.tensorAttributeNames, ...type.optionalTensorAttributeNames]
    const pick = (names: readonly string[]): Record<string, unknown> =>
      Object.fromEntries(names.map((name) => [name, this.#field(name)]))
    return {
      tensors: pick(present) as Record<string, DenseTensor>,
      attributes: pick(attributeNames),
    }
  }

  /**
   * A tensor of this class from what {@link TensorSubclass.flatten} gave.
   *
   * @throws {@link ValueError} when a required tensor, or any attribute's key, is missing; optional
   * tensors may be
   */
  static unflatten<T extends TensorSubclass>(
    this: TensorSubclassType<T>,
    tensors: Readonly<Record<string, DenseTensor>>,
    attributes: Readonly<Record<string, unknown>>,
  ): T {
    takes('oo', tensors, attributes)
    const attributeNames = [...this.tensorAttributeNames, ...this.optionalTensorAttributeNames]
    const missing =
      this.tensorDataNames.find((name) => tensors[name] === undefined) ??
      attributeNames.find((name) => !Object.hasOwn(attributes, name))
    if (missing !== undefined) throw missingField(this.formatName, missing)
    return new this({ ...attributes, ...tensors } as never)
  }

  /** Runs `op` by the table of this class, or of the closest ancestor that has it. */
  dispatchOp(op: AnyOp, args: readonly unknown[]): unknown {
    takes('fl', op, args)
    const names = new Set<string>()
    for (let type = this.constructor as typeof TensorSubclass; type.ops;) {
      for (const row of Object.hasOwn(type, 'ops') ? type.ops : []) {
        if (row.opName === op.opName) return row.run(...(args as never))
        names.add(row.opName)
      }
      type = Object.getPrototypeOf(type) as typeof TensorSubclass
    }
    const { formatName } = this.constructor as typeof TensorSubclass
    throw fail(
      UnsupportedOpError,
      `an operation that ${formatName} has (${[...names].sort().join(', ') || 'none'})`,
      `${op.opName}(${args.map(describeArgument).join(', ')})`,
      'Call dequantize() to work on the plain tensor.',
    )
  }

  slice(dim: number, start?: number, end?: number, step?: number): Tensor {
    return viewOps.slice(this, dim, start, end, step)
  }

  narrow(dim: number, start: number, length: number): Tensor {
    return viewOps.narrow(this, dim, start, length)
  }

  select(dim: number, index: number): Tensor {
    return viewOps.select(this, dim, index)
  }

  transpose(dim0: number, dim1: number): Tensor {
    return viewOps.transpose(this, dim0, dim1)
  }

  view(shape: readonly number[]): Tensor {
    takes('s', shape)
    return viewOps.view(this, shape)
  }

  unsqueeze(dim: number): Tensor {
    return viewOps.unsqueeze(this, dim)
  }

  squeeze(dim: number): Tensor {
    return viewOps.squeeze(this, dim)
  }

  contiguous(): this {
    return this.#map((tensor) => tensor.contiguous())
  }

  clone(): this {
    return this.#map((tensor) => tensor.clone())
  }

  detach(): this {
    return this.#map((tensor) => tensor.detach())
  }

  /**
   * Writes all inner tensors of `source` into those of this tensor.
   *
   * @throws {@link ValueError} unless `source` is of the same class, shapes and attributes; nothing is
   * written then
   */
  copy_(source: Tensor): this {
    takes('t', source)
    const difference = metadataDifference(this, source)
    if (difference !== undefined) {
      throw fail(
        ValueError,
        `copy_ from a tensor with the same metadata as ${String(this)}`,
        difference,
      )
    }
    const from = (source as TensorSubclass).flatten().tensors
    for (const [name, tensor] of Object.entries(this.flatten().tensors)) {
      tensor.copy_(from[name] as DenseTensor)
    }
    return this
  }

  async to(device: Device): Promise<this> {
    takes('o<run:f allocate:f>', device)
    if (sameDevice(device, this.device)) return this
    const moved = new Map<DenseTensor, DenseTensor>()
    for (const tensor of Object.values(this.flatten().tensors)) {
      moved.set(tensor, await tensor.to(device))
    }
    const result = this.#map((tensor) => moved.get(tensor) as DenseTensor)
    return this.#isUnchecked ? result.requireFinite() : result
  }

  /**
   * This tensor, for `fromHp` of a format to give: a weight with NaN or infinities has such scales. On the CPU
   * they are looked at now; of other devices, when the tensor comes from there to the CPU.
   *
   * @throws {@link ValueError} unless all floating inner tensors are finite
   */
  requireFinite(): this {
    const { name, isHost = false } = this.device
    this.#isUnchecked = !isHost && name !== 'meta'
    if (isHost) checkFiniteParts(this)
    return this
  }

  override toString(): string {
    const type = this.constructor as typeof TensorSubclass
    const names = fieldNames(type).filter((name) => this.#field(name) !== undefined)
    const parts = names.map((name) => `${name}=${formatValue(this.#field(name))}`)
    return `${type.formatName}(${parts.join(', ')})`
  }

  #field(name: string): unknown {
    return (this as unknown as SubclassFields)[name]
  }

  #map(change: (tensor: DenseTensor) => DenseTensor): this {
    const { tensors, attributes } = this.flatten()
    const fields: Record<string, unknown> = { ...attributes }
    for (const [name, tensor] of Object.entries(tensors)) fields[name] = change(tensor)
    return new (this.constructor as TensorSubclassType)(fields as never) as this
  }
}

/** Whether `value` is a tensor subclass, from any copy of this package. */
export function isTensorSubclass(value: unknown): value is TensorSubclass {
  return isTensor(value) && value.dispatchOp !== undefined
}

/**
 * Why `copy_` from `source` into `target` is refused, or undefined where it is not: another class,
 * shape, kind of inner tensor, set of optional tensors or attribute.
 */
export function metadataDifference(target: TensorSubclass, source: Tensor): string | undefined {
  takes('tt', target, source)
  const type = target.constructor as typeof TensorSubclass
  if (!isTensorSubclass(source)) return `a dense tensor`
  const sourceType = source.constructor as typeof TensorSubclass
  if (sourceType.formatName !== type.formatName) return `a tensor of ${sourceType.formatName}`
  if (source.shape.join() !== target.shape.join()) return `shape [${source.shape.join(', ')}]`
  // The text of a dense tensor is its shape, dtype and device.
  const textOf = (tensor: Tensor, name: string): string =>
    formatValue((tensor as unknown as SubclassFields)[name])
  const name = fieldNames(type).find((name) => textOf(source, name) !== textOf(target, name))
  return name && `${name}=${textOf(source, name)}`
}

// Attributes are plain values (numbers, strings, lists, records), so their text tells them apart.
function formatValue(value: unknown): string {
  if (isTensor(value)) return value.toString()
  return typeof value === 'string' || value === undefined ? String(value) : JSON.stringify(value)
}

function describeArgument(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(describeArgument).join(', ')}]`
  if (isTensorSubclass(value)) return (value.constructor as typeof TensorSubclass).formatName
  const hasNoText = typeof value === 'symbol' || typeof value === 'function'
  return hasNoText || ArrayBuffer.isView(value) ? typeof value : formatValue(value)
}

function firstTensor(tensor: TensorSubclass): DenseTensor {
  return Object.values(tensor.flatten().tensors)[0] as DenseTensor
}

function fieldNames(type: typeof TensorSubclass): string[] {
  return [
    ...type.tensorDataNames,
    ...type.tensorAttributeNames,
    ...type.optionalTensorDataNames,
    ...type.optionalTensorAttributeNames,
  ]
}

function checkFiniteParts(tensor: TensorSubclass): void {
  for (const [name, part] of Object.entries(tensor.flatten().tensors)) {
    if (part?.dtype.includes('float')) checkFinite(hostFloat32(part), name)
  }
}

function missingField(formatName: string, name: string): ValueError {
  return fail(ValueError, `${formatName} to be given ${name}`, 'nothing')
}
