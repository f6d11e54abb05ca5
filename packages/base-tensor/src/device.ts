/**
 * @file Devices hold storage and run ops.
 *
 * Two are built in: `cpu` runs every op's reference, and `meta` knows shapes but no numbers (it plans
 * layouts and sizes without reading a weight).
 */

import { takes } from './takes.ts'
import { newArray, type StoredDType, type TypedArray } from './dtype.ts'
import { DeviceError, MissingKernelError, fail } from './errors.ts'
import type { Op } from './op.ts'

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
   * whose memory the garbage collector does not see have it; call {@link inScope}, which works on all.
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

/** What `run` returns; on devices that have scopes, all other storage that it made is freed. */
export function inScope<T>(device: Device, run: () => T): T {
  takes('o<run:f allocate:f>f', device, run)
  return device.scope ? device.scope(run) : run()
}

/** Storage of the CPU: a typed array that everyone may read and write. */
export interface CpuStorage extends Storage {
  readonly array: TypedArray
}

/** The CPU: runs references, in plain TypeScript. */
export const cpu: Device = /* @__PURE__ */ Object.freeze<Device>({
  name: 'cpu',
  run: (op, args) => op.reference(...args),
  allocate: (dtype, length) => cpuStorage(dtype, newArray(dtype, length)),
  upload: (dtype, array) => cpuStorage(dtype, array),
  download: (storage, offset, length) =>
    Promise.resolve((storage as CpuStorage).array.slice(offset, offset + length)),
  free: () => undefined,
})

function cpuStorage(dtype: StoredDType, array: TypedArray): CpuStorage {
  return { device: cpu, dtype, length: array.length, array }
}

/** A device without numbers: tensors on it have shape and dtype only. */
export const meta: Device = /* @__PURE__ */ Object.freeze<Device>({
  name: 'meta',
  run: (op, args) => {
    if (op.meta) return op.meta(...args)
    throw fail(
      MissingKernelError,
      `op ${op.opName} to define \`meta\` for use without data`,
      'an op with a reference only',
      'Give `meta` to defineOp: it returns tensors of the right shape and dtype.',
    )
  },
  allocate: (dtype, length) => ({ device: meta, dtype, length }),
  upload: (dtype, array) => ({ device: meta, dtype, length: array.length }),
  download: () => Promise.reject(noData()),
  free: () => undefined,
})

/**
 * Whether tensors of `a` and `b` may meet in one call. The cpu and meta have no state, so those of
 * another copy of this package serve as well; other devices are told apart by identity.
 */
export function sameDevice(a: Device, b: Device): boolean {
  return a === b || (a.name === b.name && (a.name === 'cpu' || a.name === 'meta'))
}

function noData(): DeviceError {
  return fail(
    DeviceError,
    'a tensor that holds numbers',
    'one of the meta device, which has a shape only',
  )
}
