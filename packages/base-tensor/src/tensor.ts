/** @file What tensors, devices and ops are to each other. Types only, so that their files import one way. */

import type { StoredDType, TypedArray } from './dtype.ts'

/**
 * A dense tensor or a tensor subclass.
 *
 * View methods (`slice` ... `squeeze`) return tensors that share storage with this one: writing into
 * one with {@link Tensor.copy_} changes the other. `dtype` of a quantized tensor is that of the
 * weight it stands for.
 */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: StoredDType
  readonly device: Device
  /** Number of dimensions. */
  readonly ndim: number
  /** Number of logical elements. */
  readonly numel: number
  /** Bytes of the stored elements, of all inner tensors for a subclass. */
  readonly nbytes: number

  /** Elements `start` (included) to `end` (excluded) of `dim`; negative values count from the end. */
  slice(dim: number, start?: number, end?: number, step?: number): Tensor
  /** `length` elements of `dim` from `start` on. */
  narrow(dim: number, start: number, length: number): Tensor
  /** One index of `dim`; the dimension goes away. */
  select(dim: number, index: number): Tensor
  transpose(dim0: number, dim1: number): Tensor
  /** The same elements in another shape, without a copy. One entry may be -1. */
  view(shape: readonly number[]): Tensor
  unsqueeze(dim: number): Tensor
  /** Drops `dim` if its size is 1; returns the same shape otherwise. */
  squeeze(dim: number): Tensor

  contiguous(): Tensor
  clone(): Tensor
  /** A tensor of its own that shares this one's storage. There are no gradients to cut. */
  detach(): Tensor
  /** Writes the elements of `source`, of equal shape and kind, into this tensor. */
  copy_(source: Tensor): this
  /** This tensor on `device`; itself when it is there already. */
  to(device: Device): Promise<Tensor>
  toString(): string

  /** Present on tensor subclasses: runs `op` by the class's own table. */
  dispatchOp?(op: AnyOp, args: readonly unknown[]): unknown
}

/** Elements of one dtype on one device. Dense tensors are windows on it. */
export interface Storage {
  readonly device: Device
  readonly dtype: StoredDType
  /** Number of elements. */
  readonly length: number
}

/** Where tensors lie, and what runs ops on them: the CPU, a GPU, or `meta`, which has shapes only. */
export interface Device {
  /** A short name for messages: `cpu`, `meta`, `webgpu`. */
  readonly name: string
  /**
   * Whether the numbers of its storage, a `CpuStorage`, can be read and written at once by
   * JavaScript: true for the CPU, and for devices that compute in memory which JavaScript sees; false
   * unless given.
   */
  readonly isHost?: boolean
  /** Runs an op on dense tensors of this device. */
  run<Args extends readonly unknown[], Result>(op: Op<Args, Result>, args: Args): Result
  /** New storage, zeroed. */
  allocate(dtype: StoredDType, length: number): Storage
  /** New storage that holds these elements; the device may keep `array` itself. */
  upload(dtype: StoredDType, array: TypedArray): Storage
  /** Elements `offset` to `offset + length` as a typed array. */
  download(storage: Storage, offset: number, length: number): Promise<TypedArray>
  /** Gives storage back now instead of at garbage collection. Using it afterwards is an error. */
  free(storage: Storage): void
  /**
   * Runs `run`, then frees the storage made meanwhile, but for that of tensors in its result. Devices
   * whose memory the garbage collector does not see have it; call `inScope`, which works on all.
   */
  scope?<T>(run: () => T): T
  /**
   * Runs `run` and keeps what the device did, to do it again without any JavaScript in between: for work
   * of many small ops that is done over and over, such as a model's step. Devices that have it compute
   * beside JavaScript.
   */
  record?<T>(run: () => T): Recording<T>
}

/** Work of a device that can be done again. */
export interface Recording<T> {
  /** What it returned; each time its tensors get new numbers. */
  readonly result: T
  /** Whether no tensor that it reads or writes was freed since; it keeps them from the garbage collector. */
  readonly isCurrent: boolean
  /**
   * Does it again, on the same memory: what it makes is in the tensors that it made the first time. Numbers
   * that JavaScript passed stay as they were, unless their kernels take counters.
   *
   * @throws {@link DeviceError} unless it {@link Recording.isCurrent}
   */
  replay(): void
  /** Gives back the memory that it works in. */
  dispose(): void
}

/** How far a kernel may be from the reference. */
export interface ErrorBudget {
  /** Largest normalised mean squared error: mean((out - ref)^2) / mean(ref^2). */
  readonly nmse: number
}

/** An operation: runs by the format or the device of the tensors that it is called with. */
export interface Op<Args extends readonly unknown[], Result> {
  (...args: Args): Result
  /** Unique name; ops of formats carry their package, such as `int4.linear`. */
  readonly opName: string
  /** What the op means, on dense tensors of the CPU. */
  readonly reference: (...args: Args) => Result
  /** Shapes and dtypes of the result without the numbers: what runs on the `meta` device. */
  readonly meta: ((...args: Args) => Result) | undefined
  /** What other devices' kernels are held to; undefined means equal bits. */
  readonly budget: ErrorBudget | undefined
  /** How gradients go through it; undefined where nobody said. */
  readonly vjp: Vjp<Args> | undefined
  /** Whether the reference only calls other ops and reads no data itself, so that it runs on any device. */
  readonly isComposite: boolean
  /** The arguments that it takes, in the letters of the function `takes`. */
  readonly takes: string
}

/** An op of unknown signature: `never` arguments make every op assignable to it. */
export type AnyOp = Op<never, unknown>

/**
 * The vector-Jacobian product of an op: gradients of its result in, gradients of its arguments out. JAX's
 * `vjp`, the `backward` of PyTorch's `register_autograd`.
 *
 * `gradients` are of the result's tensors, in order, and have their shapes; `results` are these tensors, and
 * `args` those of the call. It gives one entry for each argument, of the argument's shape; undefined
 * for those that have no gradient. It is made of ops, so that it runs where they do.
 */
export type Vjp<Args extends readonly unknown[]> = (
  gradients: readonly Tensor[],
  results: readonly Tensor[],
  ...args: Args
) => readonly (Tensor | undefined)[]
