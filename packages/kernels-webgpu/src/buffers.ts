/** @file GPU memory: buffers that storage is made of, and the pool that they go back to. */

import { DeviceError, type Device, type Storage, type StoredDType } from '@ao/base-tensor'

/** The use of a buffer by one tensor's storage; a later use of the buffer is another allocation. */
export interface Allocation {
  /** Where it goes back to. */
  readonly pool: BufferPool
  /** Of the buffer. */
  readonly id: number
  readonly buffer: GPUBuffer
  /** Size of the buffer, bytes. */
  readonly size: number
  isFree: boolean
  /** The batch of commands that was recorded when it became free. */
  freedIn: number
  /** Why its content is not what was to be computed: see `failures.ts`. */
  failure: unknown
}

/** Storage on the GPU. Elements lie in the buffer as in the typed array of their dtype. */
export interface GPUStorage extends Storage {
  readonly allocation: Allocation
}

/** Where memory stands, bytes. */
export interface MemoryUse {
  /** In buffers of tensors that are in use. */
  readonly used: number
  /** In free buffers that are kept to be used again. */
  readonly pooled: number
}

const STORAGE_USAGE = 0x80 | 0x04 | 0x08 // STORAGE | COPY_SRC | COPY_DST

/** Free buffers, kept to be used again by tensors of about the same size. */
export class BufferPool {
  readonly #gpu: GPUDevice
  readonly #maxPooled: number
  readonly #free = new Map<number, Allocation[]>()
  readonly #onDestroy: (buffer: GPUBuffer) => void
  #isClosed = false
  #used = 0
  #pooled = 0

  /**
   * @param maxPooled - bytes of free buffers to keep; what is above is destroyed
   * @param onDestroy - told of buffers that go, once no recorded work needs them
   */
  constructor(gpu: GPUDevice, maxPooled: number, onDestroy: (buffer: GPUBuffer) => void) {
    this.#gpu = gpu
    this.#maxPooled = maxPooled
    this.#onDestroy = onDestroy
  }

  get use(): MemoryUse {
    return { used: this.#used, pooled: this.#pooled }
  }

  /** Whether it is closed, and none of its memory in use. */
  get isDone(): boolean {
    return this.#isClosed && this.#used === 0
  }

  /**
   * A buffer of at least `bytes`, with any content.
   *
   * @param before - takes only buffers that were freed before this batch of commands: the queue writes
   * into them at once, while commands of later batches that still read them wait to be submitted
   */
  take(bytes: number, before: number = Infinity): Allocation {
    const size = sizeClass(bytes)
    this.#used += size
    const found = takeFrom(this.#free.get(size), before)
    if (found) {
      this.#pooled -= size
      const { id, buffer } = found
      return { pool: this, id, buffer, size, isFree: false, freedIn: -1, failure: undefined }
    }
    const buffer = this.#gpu.createBuffer({ size, usage: STORAGE_USAGE })
    return {
      pool: this,
      id: nextId++,
      buffer,
      size,
      isFree: false,
      freedIn: -1,
      failure: undefined,
    }
  }

  /** Takes a buffer back that commands up to those of `batch` may use. */
  give(allocation: Allocation, batch: number): void {
    if (allocation.isFree) return
    allocation.isFree = true
    allocation.freedIn = batch
    const { size } = allocation
    this.#used -= size
    if (this.#isClosed || this.#pooled + size > this.#maxPooled)
      return this.#onDestroy(allocation.buffer)
    this.#pooled += size
    const list = this.#free.get(size)
    if (list) list.push(allocation)
    else this.#free.set(size, [allocation])
  }

  /** Lets go of all free buffers. */
  trim(): void {
    for (const list of this.#free.values()) {
      for (const { buffer } of list) this.#onDestroy(buffer)
    }
    this.#free.clear()
    this.#pooled = 0
  }

  /** Lets go of all free buffers, and of others as they become free. */
  close(): void {
    this.#isClosed = true
    this.trim()
  }
}

// Of buffers in all pools: bind groups are found by them.
let nextId = 0

/**
 * Of the buffers that became free before a batch, always the oldest: work that is done again then gets the
 * buffers that it had, and with them the bind groups that were made for it.
 */
function takeFrom(list: Allocation[] | undefined, before: number): Allocation | undefined {
  if (!list) return undefined
  let oldest = -1
  for (let i = 0; i < list.length; i++) {
    const { id, freedIn } = list[i] as Allocation
    if (freedIn < before && (oldest < 0 || id < (list[oldest] as Allocation).id)) oldest = i
  }
  return oldest < 0 ? undefined : list.splice(oldest, 1)[0]
}

// Four sizes for each power of two: at most a fifth of a buffer is unused.
function sizeClass(bytes: number): number {
  if (bytes <= 1024) return Math.max(Math.ceil(bytes / 256), 1) * 256
  const step = 2 ** (Math.floor(Math.log2(bytes - 1)) - 2)
  return Math.ceil(bytes / step) * step
}

/** Storage of `length` elements in `allocation`. */
export function gpuStorage(
  device: Device,
  dtype: StoredDType,
  length: number,
  allocation: Allocation,
): GPUStorage {
  return { device, dtype, length, allocation }
}

/** @throws {@link DeviceError} for more bytes than a buffer can have */
export function checkBufferSize(bytes: number, most: number): void {
  if (bytes <= most) return
  throw new DeviceError({
    package: '@ao/kernels-webgpu',
    expected: `a tensor of at most ${most} bytes, the largest buffer of this GPU`,
    got: `${bytes} bytes`,
    cure: 'Cut it, for example by rows, or quantize it before it moves to the GPU.',
  })
}
