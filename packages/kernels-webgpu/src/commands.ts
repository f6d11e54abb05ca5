/**
 * @file The command queue: work is recorded, and submitted as one batch.
 *
 * Ops are called synchronously while pipelines compile in the background. So a call only records what is
 * to run; `flush` encodes everything recorded so far into one submission, at once where all pipelines are
 * there, otherwise when they are. Batches are submitted in order.
 */

import { DeviceError } from '@ao/base-tensor'
import { BindGroupCache, type BufferRange } from './bind-groups.ts'
import type { Param } from './kernel.ts'
import { ParamsBlock } from './params.ts'
import { PARAMS_SIZE, type Pipeline } from './pipelines.ts'

/** Number of workgroups in each dimension. */
export type Workgroups = readonly [x: number, y?: number, z?: number]

interface Dispatch {
  readonly kind: 'dispatch'
  readonly pipeline: Pipeline
  readonly bindings: GPUBindGroup
  readonly paramsOffset: number
  readonly workgroups: Workgroups
}

interface Copy {
  readonly kind: 'copy'
  readonly from: BufferRange
  readonly to: GPUBuffer
  readonly toOffset: number
}

interface Clear {
  readonly kind: 'clear'
  readonly range: BufferRange
}

/** Work that was recorded before. */
interface Replay {
  readonly kind: 'replay'
  readonly commands: readonly Command[]
  /** What is added to the offsets of its params. */
  readonly paramsOffset: number
}

type Command = Dispatch | Copy | Clear | Replay

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

/** Where a profile's timestamps go. */
export interface PassTimer {
  /** Whether each dispatch gets a pass, and so a time, of its own. */
  readonly isPerDispatch: boolean
  /** The timestamps of the next pass, for the kernel `name`. */
  next(name: string): GPUComputePassTimestampWrites
  /** Called before the batch is submitted. */
  resolve(encoder: GPUCommandEncoder): void
}

// Dispatches of a batch: what one buffer of params holds.
const MAX_DISPATCHES = 4096

/** The dynamic offset of the dispatch that is encoded. */
const PARAMS_OFFSET = /* @__PURE__ */ new Uint32Array(1)

/** Records, batches and submits commands of one GPU. */
export class CommandQueue {
  readonly #gpu: GPUDevice
  readonly #params: GPUBuffer
  readonly #bindGroups: BindGroupCache
  readonly #spareParams: ParamsBlock[] = []
  #batch = newBatch(0, new ParamsBlock())
  #tail: Promise<void> | undefined
  #submitted = 0
  /** Set while a profile is taken. */
  timer: PassTimer | undefined

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
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
    const batch = this.#batch
    if (!pipeline.pipeline) batch.waitFor.add(pipeline.ready)
    const paramsOffset = pipeline.bindings.hasParams ? batch.params.add(params) : 0
    const bindings = this.#bindGroups.get(pipeline.bindings, ranges)
    batch.commands.push({ kind: 'dispatch', pipeline, bindings, paramsOffset, workgroups })
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

  copy(from: BufferRange, to: GPUBuffer, toOffset = 0): void {
    this.#batch.commands.push({ kind: 'copy', from, to, toOffset })
  }

  clear(range: BufferRange): void {
    this.#batch.commands.push({ kind: 'clear', range })
  }

  /** Destroys a buffer once all that was recorded is submitted. */
  destroyLater(buffer: GPUBuffer): void {
    this.#batch.garbage.push(buffer)
  }

  /**
   * Submits what is recorded.
   *
   * @returns once it is with the GPU; what it waits for is pipelines, not the GPU
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
    const tail = (async () => {
      await before?.catch(() => undefined)
      await Promise.all(batch.waitFor)
      this.#submit(batch)
    })()
    const done = tail.finally(() => {
      if (this.#tail === done) this.#tail = undefined
    })
    done.catch(() => undefined)
    this.#tail = done
    return done
  }

  #submit(batch: Batch): void {
    this.#gpu.queue.writeBuffer(this.#params, 0, batch.params.bytes)
    batch.params.reset()
    this.#spareParams.push(batch.params)
    const encoder = this.#gpu.createCommandEncoder()
    this.#encode(encoder, batch.commands)
    this.timer?.resolve(encoder)
    this.#gpu.queue.submit([encoder.finish()])
    for (const buffer of batch.garbage) buffer.destroy()
    this.#submitted = batch.index + 1
  }

  #encode(encoder: GPUCommandEncoder, commands: readonly Command[]): void {
    const passes = new Passes(encoder, this.timer)
    const encode = (command: Command, added: number): void => {
      if (command.kind === 'dispatch') passes.dispatch(command, added)
      else if (command.kind === 'replay') {
        for (const each of command.commands) encode(each, added + command.paramsOffset)
      } else {
        passes.end()
        encodeTransfer(encoder, command)
      }
    }
    for (const command of commands) encode(command, 0)
    passes.end()
  }

  destroy(): void {
    this.#params.destroy()
    this.#bindGroups.clear()
  }
}

/** Compute passes of one submission: dispatches share one until something else comes between them. */
class Passes {
  readonly #encoder: GPUCommandEncoder
  readonly #timer: PassTimer | undefined
  #pass: GPUComputePassEncoder | undefined
  #pipeline: GPUComputePipeline | undefined

  constructor(encoder: GPUCommandEncoder, timer: PassTimer | undefined) {
    this.#encoder = encoder
    this.#timer = timer
  }

  dispatch({ pipeline, bindings, paramsOffset, workgroups }: Dispatch, added: number): void {
    if (this.#timer?.isPerDispatch) this.end()
    const pass = (this.#pass ??= this.#begin(pipeline.program.name))
    const compiled = pipeline.pipeline as GPUComputePipeline
    if (this.#pipeline !== compiled) pass.setPipeline(compiled)
    this.#pipeline = compiled
    if (pipeline.bindings.hasParams) {
      PARAMS_OFFSET[0] = paramsOffset + added
      pass.setBindGroup(0, bindings, PARAMS_OFFSET, 0, 1)
    } else {
      pass.setBindGroup(0, bindings)
    }
    pass.dispatchWorkgroups(workgroups[0], workgroups[1] ?? 1, workgroups[2] ?? 1)
  }

  end(): void {
    this.#pass?.end()
    this.#pass = undefined
    this.#pipeline = undefined
  }

  #begin(name: string): GPUComputePassEncoder {
    const timer = this.#timer
    return this.#encoder.beginComputePass(timer && { timestampWrites: timer.next(name) })
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

function encodeTransfer(encoder: GPUCommandEncoder, command: Copy | Clear): void {
  if (command.kind === 'copy') {
    const { from, to, toOffset } = command
    encoder.copyBufferToBuffer(from.allocation.buffer, from.offset, to, toOffset, from.size)
  } else {
    const { allocation, offset, size } = command.range
    encoder.clearBuffer(allocation.buffer, offset, size)
  }
}
