/** @file WebGPUDevice: storage, kernels and commands of one GPU, as a device for tensors. */

import {
  DenseTensor,
  DeviceError,
  itemSize,
  KernelTable,
  newArray,
  numelOf,
  type AnyOp,
  type Device,
  type Explanation,
  type Op,
  type Recording,
  type Storage,
  type StoredDType,
  type Tensor,
  type TypedArray,
  takes,
} from '@ao/base-tensor'
import {
  BufferPool,
  checkBufferSize,
  gpuStorage,
  type Allocation,
  type GPUStorage,
  type MemoryUse,
} from './buffers.ts'
import { capabilitiesOf, type Capabilities } from './capabilities.ts'
import { CommandQueue } from './commands.ts'
import { emptyResult } from './empty.ts'
import { deviceLost, KernelError } from './errors.ts'
import type { DispatchArgs } from './dispatch-args.ts'
import type { GPU } from './kernel.ts'
import { missingKernel } from './missing-kernel.ts'
import type { PassTimer } from './passes.ts'
import { PipelineCache } from './pipelines.ts'
import type { Program } from './program.ts'
import { openDevice, type WebGPUDeviceOptions } from './open.ts'
import { live, padded, rangeOf, wholeOf } from './ranges.ts'
import { capture, checkCurrent, isCurrent, type RecordedMemory } from './recorded-memory.ts'
import { tensorsIn } from './scope.ts'
import { StagingBuffers } from './staging.ts'

const PACKAGE = '@ao/kernels-webgpu'

/** Tensors on a GPU through WebGPU, in browsers and in Node. */
export class WebGPUDevice implements Device, GPU {
  readonly name = 'webgpu'
  readonly capabilities: Capabilities
  /** The GPU itself, for what is beside this library. */
  readonly gpu: GPUDevice
  readonly #isOwned: boolean
  readonly #kernels: KernelTable<GPU>
  readonly #pipelines: PipelineCache
  readonly #queue: CommandQueue
  readonly #pool: BufferPool
  readonly #staging: StagingBuffers
  readonly #scopes: GPUStorage[][] = []
  readonly #recordings = new Set<BufferPool>()
  /** The memory of the work that is being recorded. */
  #recording: RecordedMemory | undefined
  readonly #collected: FinalizationRegistry<Allocation>
  /** Closes the pools of recordings that nobody holds any more. */
  readonly #dropped: FinalizationRegistry<BufferPool>
  #failure: DeviceError | undefined

  private constructor(
    gpu: GPUDevice,
    capabilities: Capabilities,
    isOwned: boolean,
    options: WebGPUDeviceOptions,
  ) {
    this.gpu = gpu
    this.capabilities = capabilities
    this.#isOwned = isOwned
    this.#pipelines = new PipelineCache(gpu)
    this.#queue = new CommandQueue(gpu)
    this.#staging = new StagingBuffers(gpu)
    this.#pool = this.#newPool(options.maxPooledBytes ?? 2 ** 29)
    this.#collected = new FinalizationRegistry((allocation) => this.#release(allocation))
    this.#dropped = new FinalizationRegistry((pool) => this.#close(pool))
    this.#kernels = new KernelTable<GPU>(PACKAGE, options.kernels.flat())
    void gpu.lost.then((info) => {
      this.#failure = deviceLost(info)
    })
    gpu.addEventListener('uncapturederror', ({ error }) => {
      this.#failure ??= new KernelError({
        package: PACKAGE,
        expected: 'calls that WebGPU accepts',
        got: error.message,
      })
    })
  }

  /**
   * A device on the best GPU there is, on an adapter, or on a GPUDevice that exists already.
   *
   * @throws {@link DeviceError} where there is no WebGPU
   */
  static async create(options: WebGPUDeviceOptions): Promise<WebGPUDevice> {
    takes('o{kernels gpu adapter device powerPreference maxPooledBytes capabilities}', options)
    const { gpu, info, languageFeatures } = await openDevice(options)
    const capabilities = {
      ...capabilitiesOf(gpu, info, languageFeatures),
      ...options.capabilities,
    }
    return new WebGPUDevice(gpu, capabilities, options.device === undefined, options)
  }

  /** Bytes in use, and in free buffers. */
  get memory(): MemoryUse {
    const { pooled } = this.#pool.use
    let { used } = this.#pool.use
    for (const { use } of this.#recordings) used += use.used + use.pooled
    return { used, pooled }
  }

  /** How many times work was handed to the GPU. */
  get submissions(): number {
    return this.#queue.submitted
  }

  run<Args extends readonly unknown[], Result>(op: Op<Args, Result>, args: Args): Result {
    this.#check()
    if (!this.#kernels.has(op)) {
      if (op.isComposite) return op.reference(...args)
      throw missingKernel(op as unknown as AnyOp)
    }
    const empty = emptyResult(this, op, args)
    return empty ? empty.result : this.#kernels.run(this, op, args)
  }

  /**
   * How `op` would run on these arguments: one entry for each op that a kernel runs, in order. A call
   * with a quantized tensor may be several.
   *
   * @remarks It records the call, so that what depends on results is seen, but waits for nothing.
   */
  explain<Args extends readonly unknown[]>(op: Op<Args, unknown>, args: Args): Explanation[] {
    return this.#kernels.explain(() => this.scope(() => void op(...args)))
  }

  allocate(dtype: StoredDType, length: number): Storage {
    const storage = this.#allocate(dtype, length)
    this.#queue.clear(wholeOf(storage))
    return storage
  }

  upload(dtype: StoredDType, array: TypedArray): Storage {
    this.#check()
    this.#checkRecording('an upload')
    const { byteLength } = array
    const allocation = this.#take(byteLength, this.#queue.submitted)
    const bytes = new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, byteLength)
    const storage = this.#adopt(gpuStorage(this, dtype, array.length, allocation))
    this.gpu.queue.writeBuffer(allocation.buffer, 0, padded(bytes))
    return storage
  }

  async download(storage: Storage, offset: number, length: number): Promise<TypedArray> {
    this.#check()
    this.#checkRecording('numbers that are read')
    const { dtype, allocation } = live(storage)
    const out = newArray(dtype, length)
    if (length === 0) return out
    const size = itemSize(dtype)
    // Copies go by four bytes.
    const start = Math.floor((offset * size) / 4) * 4
    const bytes = Math.ceil(((offset + length) * size - start) / 4) * 4
    const staging = this.#staging.take(bytes)
    const copy = this.#queue.copy({ allocation, offset: start, size: bytes }, staging)
    try {
      await this.#queue.flush()
      await Promise.all([staging.mapAsync(0x01, 0, bytes), copy.confirmed])
    } catch (error) {
      throw await this.#reason(error)
    }
    this.#check()
    const failure = this.#queue.failureOf(copy)
    if (failure !== undefined) {
      staging.destroy()
      throw failure
    }
    const from = new Uint8Array(
      staging.getMappedRange(0, bytes),
      offset * size - start,
      length * size,
    )
    new Uint8Array(out.buffer).set(from)
    this.#staging.give(staging)
    return out
  }

  free(storage: Storage): void {
    this.#release((storage as GPUStorage).allocation)
  }

  scope<T>(run: () => T): T {
    const made: GPUStorage[] = []
    this.#scopes.push(made)
    let kept: readonly Storage[] = []
    try {
      const result = run()
      kept = tensorsIn(result).map(({ storage }) => storage)
      return result
    } finally {
      this.#scopes.pop()
      for (const storage of made) {
        if (kept.includes(storage)) this.#adopt(storage)
        else this.#release(storage.allocation)
      }
    }
  }

  /**
   * Runs `run`, and keeps what it had the GPU do, to do it again without running any of it: see
   * {@link Recording}.
   *
   * @throws {@link DeviceError} where `run` uploads or reads anything, records or replays
   */
  record<T>(run: () => T): Recording<T> {
    this.#checkRecording('another recording')
    const pool = this.#newPool(Infinity)
    const memory: RecordedMemory = { pool, captured: new Set(), isDisposed: false }
    this.#recording = memory
    this.#recordings.add(pool)
    try {
      const { result, recorded } = this.#queue.record(() => this.scope(run))
      this.#dropped.register(memory, pool)
      return {
        result,
        get isCurrent() {
          return isCurrent(memory)
        },
        replay: () => {
          this.#check()
          this.#checkRecording('a replay')
          checkCurrent(memory)
          this.#queue.replay(recorded)
        },
        dispose: () => {
          memory.isDisposed = true
          memory.captured.clear()
          this.#close(pool)
        },
      }
    } catch (error) {
      this.#close(pool)
      throw error
    } finally {
      this.#recording = undefined
    }
  }

  empty(shape: readonly number[], dtype: StoredDType): DenseTensor {
    return new DenseTensor(this.#allocate(dtype, numelOf(shape)), shape)
  }

  dense(tensor: Tensor): DenseTensor {
    takes('t', tensor)
    const dense = tensor as DenseTensor
    const isAligned = (dense.offset * itemSize(dense.dtype)) % 256 === 0
    return dense.isContiguous && isAligned ? dense : dense.clone()
  }

  dispatch(program: Program, { bind, params, workgroups }: DispatchArgs): void {
    const pipeline = this.#pipelines.get(program)
    this.#queue.dispatch(pipeline, bind.map(rangeOf), params ?? [], workgroups)
    if (this.#recording) capture(this.#recording, bind)
  }

  /**
   * Hands what was called so far to the GPU. Reading a tensor does it too.
   *
   * @throws {@link KernelError} for the first failure that nobody was told of, such as of a kernel that
   * does not compile. What does not depend on it is right.
   */
  async flush(): Promise<void> {
    this.#check()
    await this.#queue.flush()
    this.#tell()
  }

  /** Resolves when the GPU has done all that was called so far. */
  async finish(): Promise<void> {
    await this.flush()
    await this.gpu.queue.onSubmittedWorkDone()
    await this.#queue.confirmed
    this.#check()
    this.#tell()
  }

  /** Runs `run` in a scope, and tells `timer` of its passes: for `profile` and `elapsed`. */
  async timed(timer: PassTimer, run: () => void): Promise<void> {
    await this.finish()
    this.#queue.timer = timer
    try {
      this.scope(run)
      await this.flush()
    } finally {
      this.#queue.timer = undefined
    }
  }

  /** Gives free buffers back to the system. */
  trim(): void {
    this.#pool.trim()
  }

  /** Frees all buffers, and the GPU itself unless it was brought along. */
  destroy(): void {
    this.#pool.trim()
    for (const pool of this.#recordings) pool.close()
    this.#queue.destroy()
    this.#staging.destroy()
    if (this.#isOwned) this.gpu.destroy()
    this.#failure ??= deviceLost({ reason: 'destroyed', message: 'destroy() was called' })
  }

  #allocate(dtype: StoredDType, length: number): GPUStorage {
    this.#check()
    return this.#adopt(gpuStorage(this, dtype, length, this.#take(length * itemSize(dtype))))
  }

  #take(bytes: number, before?: number): Allocation {
    checkBufferSize(bytes, this.capabilities.maxBufferSize)
    return (this.#recording?.pool ?? this.#pool).take(bytes, before)
  }

  /** Gives storage to the innermost scope, or else to the garbage collector. */
  #adopt(storage: GPUStorage): GPUStorage {
    const scope = this.#scopes.at(-1)
    if (scope) scope.push(storage)
    else this.#collected.register(storage, storage.allocation)
    return storage
  }

  #release(allocation: Allocation): void {
    const { pool } = allocation
    pool.give(allocation, this.#queue.batchIndex)
    if (pool.isDone) this.#recordings.delete(pool)
  }

  /** Closes the pool of a recording: it counts until all of its memory is free. */
  #close(pool: BufferPool): void {
    pool.close()
    if (pool.isDone) this.#recordings.delete(pool)
  }

  #tell(): void {
    const failure = this.#queue.takeFailure()
    if (failure !== undefined) throw failure
  }

  #newPool(maxPooled: number): BufferPool {
    return new BufferPool(this.gpu, maxPooled, (buffer) => this.#queue.destroyLater(buffer))
  }

  #checkRecording(got: string): void {
    if (!this.#recording) return
    throw new DeviceError({
      package: PACKAGE,
      expected: 'work that stays on the GPU while it is recorded',
      got,
      cure: 'Upload before, and read after it.',
    })
  }

  #check(): void {
    if (this.#failure) throw this.#failure
  }

  /** What a failed wait means: the loss of the device, if that is why. */
  async #reason(error: unknown): Promise<unknown> {
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, 50))])
    return this.#failure ?? error
  }
}
