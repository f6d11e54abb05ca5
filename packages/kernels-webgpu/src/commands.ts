/**
 * @file The command queue: work is recorded, and submitted as one batch.
 *
 * Ops are called synchronously while pipelines compile in the background. So a call only records what is
 * to run; `flush` encodes everything recorded so far into one submission, at once where all pipelines are
 * there, otherwise when they are. Batches are submitted in order.
 */

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

type Command = Dispatch | Copy | Clear

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
    const paramsOffset = batch.params.add(params)
    const bindings = this.#bindGroups.get(pipeline.bindings, ranges)
    batch.commands.push({ kind: 'dispatch', pipeline, bindings, paramsOffset, workgroups })
    if (batch.commands.length >= MAX_DISPATCHES) void this.flush()
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
    let pass: GPUComputePassEncoder | undefined
    let current: GPUComputePipeline | undefined
    const endPass = (): void => {
      pass?.end()
      pass = undefined
      current = undefined
    }
    for (const command of commands) {
      if (command.kind === 'dispatch') {
        const { program, pipeline } = command.pipeline
        if (this.timer?.isPerDispatch) endPass()
        pass ??= encoder.beginComputePass(
          this.timer ? { timestampWrites: this.timer.next(program.name) } : undefined,
        )
        if (current !== pipeline) pass.setPipeline(pipeline as GPUComputePipeline)
        current = pipeline
        PARAMS_OFFSET[0] = command.paramsOffset
        const offsets = command.pipeline.bindings.hasParams ? 1 : 0
        pass.setBindGroup(0, command.bindings, PARAMS_OFFSET, 0, offsets)
        const [x, y = 1, z = 1] = command.workgroups
        pass.dispatchWorkgroups(x, y, z)
      } else {
        endPass()
        encodeTransfer(encoder, command)
      }
    }
    endPass()
  }

  destroy(): void {
    this.#params.destroy()
    this.#bindGroups.clear()
  }
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
