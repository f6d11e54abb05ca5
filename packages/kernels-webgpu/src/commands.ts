/**
 * @file The command queue: work is recorded, and submitted as one batch.
 *
 * Ops are called synchronously while pipelines compile in the background. So a call only records what is
 * to run; `flush` encodes everything recorded so far into one submission, at once where all pipelines are
 * there, otherwise when they are. Batches are submitted in order.
 */

import type { Allocation, PooledBuffer } from './buffers.ts'
import { PARAMS_SIZE, type Pipeline, type PipelineCache } from './pipelines.ts'

/** Part of a buffer that a program sees. */
export interface BufferRange {
  readonly allocation: Allocation
  /** Bytes. */
  readonly offset: number
  readonly size: number
}

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
  params: Uint8Array<ArrayBuffer>
  paramsUsed: number
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
const MAX_BIND_GROUPS = 8192

/** Records, batches and submits commands of one GPU. */
export class CommandQueue {
  readonly #gpu: GPUDevice
  readonly #params: GPUBuffer
  readonly #paramsGroup: GPUBindGroup
  readonly #bindGroups = new Map<string, GPUBindGroup>()
  #batch = newBatch(0)
  #tail: Promise<void> | undefined
  #submitted = 0
  /** Set while a profile is taken. */
  timer: PassTimer | undefined

  constructor(gpu: GPUDevice, pipelines: PipelineCache) {
    this.#gpu = gpu
    const size = MAX_DISPATCHES * PARAMS_SIZE
    this.#params = gpu.createBuffer({ label: 'params', size, usage: 0x40 | 0x08 }) // UNIFORM | COPY_DST
    this.#paramsGroup = gpu.createBindGroup({
      layout: pipelines.paramsLayout,
      entries: [{ binding: 0, resource: { buffer: this.#params, size: PARAMS_SIZE } }],
    })
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
    params: ArrayBuffer | undefined,
    workgroups: Workgroups,
  ): void {
    const batch = this.#batch
    if (!pipeline.pipeline) batch.waitFor.add(pipeline.ready)
    const paramsOffset = params ? writeParams(batch, params) : 0
    const bindings = this.#bindGroup(pipeline, ranges)
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
  destroyLater({ id, buffer }: PooledBuffer): void {
    this.#batch.garbage.push(buffer)
    const part = `:${id}@`
    for (const key of this.#bindGroups.keys()) {
      if (key.includes(part)) this.#bindGroups.delete(key)
    }
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
    this.#batch = newBatch(batch.index + 1)
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
    if (batch.paramsUsed > 0) {
      this.#gpu.queue.writeBuffer(this.#params, 0, batch.params, 0, batch.paramsUsed)
    }
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
        pass.setBindGroup(0, command.bindings)
        pass.setBindGroup(1, this.#paramsGroup, [command.paramsOffset])
        pass.dispatchWorkgroups(...(command.workgroups as [number, number?, number?]))
      } else {
        endPass()
        encodeTransfer(encoder, command)
      }
    }
    endPass()
  }

  #bindGroup(pipeline: Pipeline, ranges: readonly BufferRange[]): GPUBindGroup {
    let key = pipeline.program.access
    for (const { allocation, offset, size } of ranges) key += `:${allocation.id}@${offset}+${size}`
    let group = this.#bindGroups.get(key)
    if (!group) {
      if (this.#bindGroups.size >= MAX_BIND_GROUPS) this.#bindGroups.clear()
      group = this.#gpu.createBindGroup({
        layout: pipeline.bindings,
        entries: ranges.map(({ allocation, offset, size }, binding) => ({
          binding,
          resource: { buffer: allocation.buffer, offset, size },
        })),
      })
      this.#bindGroups.set(key, group)
    }
    return group
  }

  destroy(): void {
    this.#params.destroy()
    this.#bindGroups.clear()
  }
}

function newBatch(index: number): Batch {
  return {
    index,
    commands: [],
    params: new Uint8Array(16 * PARAMS_SIZE),
    paramsUsed: 0,
    waitFor: new Set(),
    garbage: [],
  }
}

function writeParams(batch: Batch, params: ArrayBuffer): number {
  const offset = batch.paramsUsed
  batch.paramsUsed += PARAMS_SIZE
  if (batch.paramsUsed > batch.params.length) {
    const bigger = new Uint8Array(batch.params.length * 2)
    bigger.set(batch.params)
    batch.params = bigger
  }
  batch.params.set(new Uint8Array(params), offset)
  return offset
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
