/** @file Commands of one submission, encoded. */

import type { Clear, Copy, Dispatch } from './command.ts'

/** Where a profile's timestamps go. */
export interface PassTimer {
  /** Whether each dispatch gets a pass, and so a time, of its own. */
  readonly isPerDispatch: boolean
  /** The timestamps of the next pass, for the kernel `name`. */
  next(name: string): GPUComputePassTimestampWrites
  /** Called before the batch is submitted. */
  resolve(encoder: GPUCommandEncoder): void
}

/** The dynamic offset of the dispatch that is encoded. */
const PARAMS_OFFSET = /* @__PURE__ */ new Uint32Array(1)

/** Compute passes of one submission: dispatches share one until something else comes between them. */
export class Passes {
  readonly #encoder: GPUCommandEncoder
  readonly #timer: PassTimer | undefined
  #pass: GPUComputePassEncoder | undefined
  #pipeline: GPUComputePipeline | undefined

  constructor(encoder: GPUCommandEncoder, timer: PassTimer | undefined) {
    this.#encoder = encoder
    this.#timer = timer
  }

  /** @param added - to the offset of its params */
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

  transfer(command: Copy | Clear): void {
    this.end()
    if (command.kind === 'copy') {
      const { from, to } = command
      this.#encoder.copyBufferToBuffer(from.allocation.buffer, from.offset, to, 0, from.size)
    } else {
      const { allocation, offset, size } = command.range
      this.#encoder.clearBuffer(allocation.buffer, offset, size)
    }
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
