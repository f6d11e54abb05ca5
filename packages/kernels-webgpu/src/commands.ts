/**
 * @file The command queue: work is recorded, and submitted as one batch.
 *
 * Ops are called synchronously while pipelines compile in the background. So a call only records what is
 * to run; `flush` encodes everything recorded so far into one submission, at once where all pipelines are
 * there, otherwise when they are. Batches are submitted in order.
 */

import { DeviceError } from '@ao/base-tensor'
import { BindGroupCache, type BufferRange } from './bind-groups.ts'
import { PARAMS_SIZE } from './bindings-layout.ts'
import { checkDispatch, type Command, type Copy, type DispatchLimits } from './command.ts'
import type { Param, Workgroups } from './dispatch-args.ts'
import { inheritedFailure, markFailed, spreadFailures, submissionError } from './failures.ts'
import { ParamsBlock } from './params.ts'
import { Passes, type PassTimer } from './passes.ts'
import type { Pipeline } from './pipelines.ts'

/** Commands to submit again, with params of their own. */
export interface Recorded {
  readonly commands: readonly Command[]
  readonly params: ParamsBlock
  /** Of `params`, in the batch that the commands were recorded in. */
  readonly paramsOffset: number
}

/** Work that is submitted together. */
interface Batch {
  readonly index: number
  readonly commands: Command[]
  readonly params: ParamsBlock
  readonly waitFor: Set<Promise<void>>
  /** Destroyed once the batch is submitted. */
  readonly garbage: GPUBuffer[]
}

interface Submitted {
  readonly commands: readonly Command[]
  readonly confirmed: Promise<void>
}

// Dispatches of a batch: what one buffer of params holds.
const MAX_DISPATCHES = 4096

/** Records, batches and submits commands of one GPU. */
export class CommandQueue {
  readonly #gpu: GPUDevice
  readonly #limits: DispatchLimits
  readonly #params: GPUBuffer
  readonly #bindGroups: BindGroupCache
  readonly #spareParams: ParamsBlock[] = []
  #batch = newBatch(0, new ParamsBlock())
  #tail: Promise<void> | undefined
  #submitted = 0
  /** Batches that were submitted, in order, until it is known whether the GPU took them. */
  readonly #unconfirmed: Submitted[] = []
  /** The first that nobody was told of. */
  #failure: unknown
  /** Whether anything ever failed: else no memory has a failure, and no command is asked for it. */
  #hasFailed = false
  /** Set while a profile is taken. */
  timer: PassTimer | undefined

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
    const { maxComputeWorkgroupsPerDimension, maxStorageBufferBindingSize } = gpu.limits
    this.#limits = { maxComputeWorkgroupsPerDimension, maxStorageBufferBindingSize }
    const size = MAX_DISPATCHES * PARAMS_SIZE
    this.#params = gpu.createBuffer({ label: 'params', size, usage: 0x40 | 0x08 }) // UNIFORM | COPY_DST
    this.#bindGroups = new BindGroupCache(gpu, this.#params)
  }

  /** The batch that is being recorded. */
  get batchIndex(): number {
    return this.#batch.index
  }

  /** How many batches were submitted. */
  get submitted(): number {
    return this.#submitted
  }

  dispatch(
    pipeline: Pipeline,
    ranges: readonly BufferRange[],
    params: readonly Param[],
    workgroups: Workgroups,
  ): void {
    if (!checkDispatch(pipeline.program, ranges, params, workgroups, this.#limits)) return
    const batch = this.#batch
    if (!pipeline.pipeline) batch.waitFor.add(pipeline.ready)
    const bindings = this.#bindGroups.get(pipeline.bindings, ranges)
    const paramsOffset = pipeline.bindings.hasParams ? batch.params.add(params) : 0
    batch.commands.push({ kind: 'dispatch', pipeline, bindings, ranges, paramsOffset, workgroups })
    if (batch.params.length >= MAX_DISPATCHES) void this.flush()
  }

  /** Runs `run`, and takes down the commands that it adds to this batch. Nothing may be flushed meanwhile. */
  record<T>(run: () => T): { readonly result: T; readonly recorded: Recorded } {
    const batch = this.#batch
    const { length } = batch.params
    const from = batch.commands.length
    const result = run()
    if (this.#batch !== batch) throw flushedTooEarly()
    const commands = batch.commands.slice(from)
    const params = batch.params.copyFrom(length)
    return { result, recorded: { commands, params, paramsOffset: length * PARAMS_SIZE } }
  }

  /** Adds recorded commands once more, with counters as they stand now. */
  replay({ commands, params, paramsOffset }: Recorded): void {
    if (this.#batch.params.length + params.length > MAX_DISPATCHES) void this.flush()
    const batch = this.#batch
    for (const command of commands) {
      if (command.kind !== 'dispatch' || command.pipeline.pipeline) continue
      batch.waitFor.add(command.pipeline.ready)
    }
    const added = batch.params.addAll(params) - paramsOffset
    batch.commands.push({ kind: 'replay', commands, paramsOffset: added })
  }

  /** Copies to a buffer that is to be mapped: {@link Copy} tells whether its numbers are there. */
  copy(from: BufferRange, to: GPUBuffer): Copy {
    const copy: Copy = { kind: 'copy', from, to, failure: undefined, confirmed: undefined }
    this.#batch.commands.push(copy)
    return copy
  }

  clear(range: BufferRange): void {
    this.#batch.commands.push({ kind: 'clear', range })
  }

  /** Destroys a buffer once all that was recorded is submitted. */
  destroyLater(buffer: GPUBuffer): void {
    this.#batch.garbage.push(buffer)
  }

  /**
   * Submits what is recorded. A command that fails takes with it what depends on it, and nothing else.
   *
   * @returns once it is with the GPU; what it waits for is pipelines, not the GPU. It never rejects: who
   * reads is told what failed, and so is who calls {@link CommandQueue.takeFailure}
   */
  flush(): Promise<void> {
    const batch = this.#batch
    if (batch.commands.length === 0 && batch.garbage.length === 0) {
      return this.#tail ?? Promise.resolve()
    }
    this.#batch = newBatch(batch.index + 1, this.#spareParams.pop() ?? new ParamsBlock())
    if (!this.#tail && batch.waitFor.size === 0) {
      this.#submit(batch)
      return Promise.resolve()
    }
    const before = this.#tail
    const tail: Promise<void> = (async () => {
      await before
      await Promise.allSettled(batch.waitFor) // a pipeline knows whether it failed
      this.#submit(batch)
    })().finally(() => {
      if (this.#tail === tail) this.#tail = undefined
    })
    this.#tail = tail
    return tail
  }

  /** Resolves once the GPU is known to have taken what was submitted, or not. */
  get confirmed(): Promise<void> {
    return this.#unconfirmed.at(-1)?.confirmed ?? Promise.resolve()
  }

  /** The first failure that nobody was told of, who is told now. */
  takeFailure(): unknown {
    const failure = this.#failure
    this.#failure = undefined
    return failure
  }

  /** The failure of a copy that is confirmed, for its reader. */
  failureOf({ failure }: Copy): unknown {
    if (failure === this.#failure) this.#failure = undefined
    return failure
  }

  #submit(batch: Batch): void {
    this.#gpu.pushErrorScope('validation')
    try {
      this.#encode(batch, batch.commands)
    } catch {
      // Nothing of it ran. One by one, commands show which of them it was.
      for (const command of batch.commands) {
        try {
          this.#encode(batch, [command])
        } catch (cause) {
          this.#fail([command], submissionError('a batch of work', cause))
        }
      }
    }
    this.#confirm(batch, this.#gpu.popErrorScope())
    batch.params.reset()
    this.#spareParams.push(batch.params)
    for (const buffer of batch.garbage) buffer.destroy()
    this.#submitted = batch.index + 1
  }

  #encode({ params }: Batch, commands: readonly Command[]): void {
    const { queue } = this.#gpu
    queue.writeBuffer(this.#params, 0, params.bytes)
    const encoder = this.#gpu.createCommandEncoder()
    const passes = new Passes(encoder, this.timer)
    this.#encodeAll(passes, commands, 0)
    passes.end()
    this.timer?.resolve(encoder)
    queue.submit([encoder.finish()])
  }

  /** @param added - to the offsets of params */
  #encodeAll(passes: Passes, commands: readonly Command[], added: number): void {
    // One handler for all commands that WebGPU takes: it goes on behind the one that threw.
    for (let at = 0; at < commands.length; at++) {
      try {
        for (; at < commands.length; at++) {
          const command = commands[at] as Command
          if (command.kind === 'replay') {
            this.#encodeAll(passes, command.commands, added + command.paramsOffset)
            continue
          }
          const isCompiled = command.kind !== 'dispatch' || command.pipeline.pipeline
          if (this.#hasFailed || !isCompiled) {
            const failure = inheritedFailure(command)
            if (failure !== undefined) {
              this.#fail([command], failure)
              continue
            }
          }
          if (command.kind === 'dispatch') passes.dispatch(command, added)
          else passes.transfer(command)
        }
      } catch (cause) {
        const command = commands[at] as Command
        const what = command.kind === 'dispatch' ? command.pipeline.program.name : command.kind
        this.#fail([command], submissionError(`a call of ${what}`, cause))
      }
    }
  }

  #fail(commands: readonly Command[], failure: unknown): void {
    this.#failure ??= failure
    this.#hasFailed = true
    for (const command of commands) markFailed(command, failure)
  }

  /** WebGPU tells of errors later. Work that was submitted meanwhile may depend on what was lost. */
  #confirm(batch: Batch, told: Promise<GPUError | null>): void {
    const { confirmed: before } = this
    const waiting: Submitted = {
      commands: batch.commands,
      confirmed: (async () => {
        const error = await told.catch(() => null) // of a lost device, which has its own error
        await before
        if (error) this.#fail(batch.commands, submissionError('a batch of work', error))
        this.#unconfirmed.shift()
        if (error) for (const { commands } of this.#unconfirmed) spreadFailures(commands)
      })(),
    }
    this.#unconfirmed.push(waiting)
    for (const command of batch.commands) {
      if (command.kind === 'copy') command.confirmed = waiting.confirmed
    }
  }

  destroy(): void {
    this.#params.destroy()
    this.#bindGroups.clear()
  }
}

function flushedTooEarly(): DeviceError {
  return new DeviceError({
    package: '@ao/kernels-webgpu',
    expected: `recorded work of fewer than ${MAX_DISPATCHES} dispatches, and no flush in it`,
    got: 'a batch that was submitted meanwhile',
  })
}

function newBatch(index: number, params: ParamsBlock): Batch {
  return { index, commands: [], params, waitFor: new Set(), garbage: [] }
}
