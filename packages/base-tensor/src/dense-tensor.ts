/** @file Dense tensors: a strided window on a device's storage. */

import { takes } from './takes.ts'
import type { CpuStorage, Device, Storage } from './device.ts'
import { cpu, sameDevice } from './device.ts'
import type { StoredDType, TypedArray } from './dtype.ts'
import { isArrayOf, itemSize } from './dtype.ts'
import { DTypeError, DeviceError, ShapeError, fail } from './errors.ts'
import { defineOp, type Op } from './op.ts'
import { Printable } from './printable.ts'
import {
  copyStrided,
  isContiguous,
  normalizeDim,
  normalizeIndex,
  product,
  resolveShape,
  rowMajor,
  sliceRange,
  viewStrides,
} from './strided.ts'
import type { Tensor } from './tensor.ts'

/** A tensor whose elements lie in storage, at `offset + sum(index[d] * strides[d])`. */
export class DenseTensor extends Printable implements Tensor {
  readonly storage: Storage
  readonly shape: readonly number[]
  /** Distance between neighbours of each dimension, in elements. */
  readonly strides: readonly number[]
  /** Index in storage of the first element. */
  readonly offset: number

  constructor(storage: Storage, shape: readonly number[], strides?: readonly number[], offset = 0) {
    takes('Sss?n?', storage, shape, strides, offset)
    super()
    this.storage = storage
    this.shape = Object.freeze([...shape])
    this.strides = Object.freeze(strides ? [...strides] : rowMajor(shape))
    this.offset = offset
    // As nameInConsole does, in a tenth of the time.
    ;(this as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] = this.toString()
  }

  get dtype(): StoredDType {
    return this.storage.dtype
  }

  get device(): Device {
    return this.storage.device
  }

  get ndim(): number {
    return this.shape.length
  }

  get numel(): number {
    return product(this.shape)
  }

  get nbytes(): number {
    return this.numel * itemSize(this.dtype)
  }

  get isContiguous(): boolean {
    return isContiguous(this.shape, this.strides)
  }

  slice(dim: number, start: number = 0, end: number = Infinity, step: number = 1): DenseTensor {
    const d = normalizeDim(dim, this.ndim)
    if (!Number.isInteger(step) || step < 1) {
      throw fail(ShapeError, 'a step of at least 1', step)
    }
    const size = this.shape[d] as number
    const [from, to] = sliceRange(start, end, size)
    const stride = this.strides[d] as number
    return this.#window(
      this.shape.with(d, Math.ceil((to - from) / step)),
      this.strides.with(d, stride * step),
      this.offset + from * stride,
    )
  }

  narrow(dim: number, start: number, length: number): DenseTensor {
    const from = narrowStart(this.shape, dim, start, length)
    return this.slice(dim, from, from + length)
  }

  select(dim: number, index: number): DenseTensor {
    const d = normalizeDim(dim, this.ndim)
    const i = normalizeIndex(index, this.shape[d] as number)
    return this.#window(
      this.shape.toSpliced(d, 1),
      this.strides.toSpliced(d, 1),
      this.offset + i * (this.strides[d] as number),
    )
  }

  transpose(dim0: number, dim1: number): DenseTensor {
    const a = normalizeDim(dim0, this.ndim)
    const b = normalizeDim(dim1, this.ndim)
    const swap = (list: readonly number[]): number[] =>
      list.with(a, list[b] as number).with(b, list[a] as number)
    return this.#window(swap(this.shape), swap(this.strides), this.offset)
  }

  view(shape: readonly number[]): DenseTensor {
    takes('s', shape)
    const resolved = resolveShape(shape, this.numel)
    const strides = viewStrides(this.shape, this.strides, resolved)
    if (!strides) {
      throw fail(
        ShapeError,
        `elements that [${resolved.join(', ')}] can show without a copy`,
        `shape [${this.shape.join(', ')}] with strides [${this.strides.join(', ')}]`,
        'Call contiguous() first.',
      )
    }
    return this.#window(resolved, strides, this.offset)
  }

  unsqueeze(dim: number): DenseTensor {
    const d = normalizeDim(dim, this.ndim + 1)
    return this.#window(this.shape.toSpliced(d, 0, 1), this.strides.toSpliced(d, 0, 1), this.offset)
  }

  squeeze(dim: number): DenseTensor {
    const d = normalizeDim(dim, this.ndim)
    return this.shape[d] === 1 ? this.select(d, 0) : this.detach()
  }

  /** Itself when already contiguous, a copy otherwise. */
  contiguous(): DenseTensor {
    return this.isContiguous ? this : this.clone()
  }

  clone(): DenseTensor {
    return copy(this) as DenseTensor
  }

  detach(): DenseTensor {
    return this.#window(this.shape, this.strides, this.offset)
  }

  copy_(source: Tensor): this {
    takes('t', source)
    copyInto(this, source)
    return this
  }

  async to(device: Device): Promise<DenseTensor> {
    takes('o<run:f allocate:f>', device)
    if (sameDevice(device, this.device)) return this
    return new DenseTensor(device.upload(this.dtype, await this.data()), this.shape)
  }

  /**
   * The elements, row-major, as a new typed array of the dtype; bits for float16, bfloat16 and float8.
   */
  async data(): Promise<TypedArray> {
    const whole = this.contiguous()
    return this.device.download(whole.storage, whole.offset, whole.numel)
  }

  override toString(): string {
    const { dtype, device } = this.storage
    let sizes = ''
    for (const size of this.shape) sizes += sizes === '' ? size : `, ${size}`
    return `tensor([${sizes}], dtype=${dtype}${device.name === 'cpu' ? '' : `, device=${device.name}`})`
  }

  #window(shape: readonly number[], strides: readonly number[], offset: number): DenseTensor {
    return new DenseTensor(this.storage, shape, strides, offset)
  }
}

/** Whether `value` is a dense tensor, from any copy of this package. */
export function isDenseTensor(value: unknown): value is DenseTensor {
  const tensor = value as Partial<DenseTensor> | null | undefined
  return typeof tensor === 'object' && tensor !== null && tensor.storage !== undefined
}

/**
 * `tensor` as a dense tensor.
 *
 * @param what - how a message calls it, such as `the scale`
 * @throws {@link DTypeError} for a tensor subclass
 */
export function asDense(tensor: Tensor, what = 'a tensor'): DenseTensor {
  takes('tx?', tensor, what)
  if (isDenseTensor(tensor)) return tensor
  throw fail(
    DTypeError,
    `${what} to be dense`,
    String(tensor).replace(/^(.{80}).+$/s, '$1...'),
    'Call dequantize() first.',
  )
}

/**
 * The elements of a CPU tensor, row-major: storage itself where the tensor is contiguous (do not write
 * into it), a copy otherwise.
 *
 * @throws {@link DeviceError} for tensors of another device
 */
export function hostArray(tensor: Tensor): TypedArray {
  const dense = asDense(tensor)
  if (!dense.device.isHost) {
    throw fail(
      DeviceError,
      'a tensor of the cpu',
      `one of ${dense.device.name}`,
      'Read it with `await tensor.data()`.',
    )
  }
  const whole = dense.contiguous()
  const { array } = whole.storage as CpuStorage
  return whole.numel === array.length
    ? array
    : array.subarray(whole.offset, whole.offset + whole.numel)
}

/**
 * A dense tensor on the CPU around `array`, which it keeps.
 *
 * @throws {@link DTypeError} or {@link ShapeError} unless `array` is of the type and length asked for
 */
export function fromArray(
  array: TypedArray,
  shape: readonly number[],
  dtype: StoredDType,
): DenseTensor {
  takes('asz', array, shape, dtype)
  return denseOf(array, shape, dtype)
}

/** {@link fromArray} of arguments of the right kinds. */
export function denseOf(
  array: TypedArray,
  shape: readonly number[],
  dtype: StoredDType,
): DenseTensor {
  if (!isArrayOf(array, dtype)) {
    throw fail(
      DTypeError,
      `the typed array that holds ${dtype}`,
      array[Symbol.toStringTag],
      'Use cast(tensor, dtype) or fromFloat32(values, shape, dtype) to convert numbers.',
    )
  }
  if (array.length !== product(shape)) {
    throw fail(
      ShapeError,
      `${product(shape)} elements for shape [${shape.join(', ')}]`,
      array.length,
    )
  }
  return new DenseTensor(cpu.upload(dtype, array), shape)
}

/** A dense tensor of zeros. */
export function zeros(
  shape: readonly number[],
  dtype: StoredDType = 'float32',
  device: Device = cpu,
): DenseTensor {
  takes('sz?o<run:f allocate:f>?', shape, dtype, device)
  return new DenseTensor(device.allocate(dtype, product(shape)), shape)
}

/** What `clone()` of a dense tensor runs: its elements in new storage, contiguous. */
export const copy: Op<[source: Tensor], Tensor> = /* @__PURE__ */ defineOp({
  name: 'copy',
  takes: 't',
  reference: (source: Tensor): Tensor => {
    const from = asDense(source)
    const to = zeros(from.shape, from.dtype, from.device)
    copyHost(from, to)
    return to
  },
  meta: (source: Tensor): Tensor => zeros(source.shape, source.dtype, source.device),
})

/** What `copy_` of a dense tensor runs: writes the elements of `source` into `target`'s storage. */
export const copyInto: Op<[target: Tensor, source: Tensor], void> = /* @__PURE__ */ defineOp({
  name: 'copyInto',
  takes: 'tt',
  reference: (target: Tensor, source: Tensor): void => {
    checkCopy(target, source)
    copyHost(asDense(source), asDense(target))
  },
  meta: checkCopy,
})

function copyHost(from: DenseTensor, to: DenseTensor): void {
  copyStrided(
    to.shape,
    (from.storage as CpuStorage).array,
    from.offset,
    from.strides,
    (to.storage as CpuStorage).array,
    to.offset,
    to.strides,
  )
}

function checkCopy(target: Tensor, source: Tensor): void {
  if (target.dtype !== source.dtype) {
    throw fail(
      DTypeError,
      `copy_ from a tensor of ${target.dtype}`,
      source.dtype,
      'Use cast(source, dtype) first.',
    )
  }
  if (target.shape.join() !== source.shape.join()) {
    throw fail(
      ShapeError,
      `copy_ from a tensor of shape [${target.shape.join(', ')}]`,
      source.shape,
    )
  }
}

/**
 * The start of `length` elements of `dim`, counted from the front.
 *
 * @throws {@link ShapeError} unless they lie within `dim`
 */
export function narrowStart(
  shape: readonly number[],
  dim: number,
  start: number,
  length: number,
): number {
  takes('nn', start, length)
  const size = shape[normalizeDim(dim, shape.length)] as number
  const from = start < 0 ? start + size : start
  const areIntegers = Number.isInteger(from) && Number.isInteger(length)
  if (areIntegers && from >= 0 && length >= 0 && from + length <= size) return from
  throw fail(
    ShapeError,
    `start and length within a dimension of ${size}`,
    `start ${start}, length ${length}`,
  )
}
