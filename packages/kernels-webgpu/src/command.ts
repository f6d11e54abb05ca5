/** @file Commands: what is recorded for the GPU, and what of it can be refused at once. */

import type { BufferRange } from './bind-groups.ts'
import { PARAMS_SIZE } from './bindings-layout.ts'
import type { Param, Workgroups } from './dispatch-args.ts'
import { KernelError } from './errors.ts'
import type { Pipeline } from './pipelines.ts'
import type { Program } from './program.ts'

export type { Workgroups } from './dispatch-args.ts'

export interface Dispatch {
  readonly kind: 'dispatch'
  readonly pipeline: Pipeline
  readonly bindings: GPUBindGroup
  /** What the storage bindings show, in order. */
  readonly ranges: readonly BufferRange[]
  readonly paramsOffset: number
  readonly workgroups: Workgroups
}

/** A copy to a buffer that numbers are read through. */
export interface Copy {
  readonly kind: 'copy'
  readonly from: BufferRange
  readonly to: GPUBuffer
  /** Why its numbers are not there, once that is known. */
  failure: unknown
  /** Resolves once it is known whether the GPU took it, and all work before it. */
  confirmed: Promise<void> | undefined
}

export interface Clear {
  readonly kind: 'clear'
  readonly range: BufferRange
}

/** Work that was recorded before. */
export interface Replay {
  readonly kind: 'replay'
  readonly commands: readonly Command[]
  /** What is added to the offsets of its params. */
  readonly paramsOffset: number
}

export type Command = Dispatch | Copy | Clear | Replay

/** Of a GPU, read once: each read of its own object is a call into WebGPU. */
export interface DispatchLimits {
  readonly maxComputeWorkgroupsPerDimension: number
  readonly maxStorageBufferBindingSize: number
}

/**
 * Refuses what WebGPU would refuse only when it is submitted, together with all work around it.
 *
 * @returns whether there is anything to run: not where a dimension has no workgroups
 * @throws {@link KernelError} naming the program
 */
export function checkDispatch(
  program: Program,
  ranges: readonly BufferRange[],
  params: readonly Param[],
  workgroups: Workgroups,
  limits: DispatchLimits,
): boolean {
  const { access } = program
  const { maxComputeWorkgroupsPerDimension: most, maxStorageBufferBindingSize: largest } = limits
  let isEmpty = false
  let isValid = workgroups.length >= 1 && workgroups.length <= 3
  for (let i = 0; i < workgroups.length; i++) {
    const count = workgroups[i] ?? 1
    isValid &&= Number.isInteger(count) && count >= 0 && count <= most
    isEmpty ||= count === 0
  }
  if (!isValid) {
    throw refused(program, `1 to 3 whole numbers of workgroups up to ${most}`, workgroups.join())
  }
  const bindings = access.endsWith('u') ? access.length - 1 : access.length
  if (ranges.length !== bindings) {
    throw refused(program, `${bindings} bound tensors`, ranges.length)
  }
  if (params.length > PARAMS_SIZE / 4) {
    throw refused(program, `at most ${PARAMS_SIZE / 4} params`, params.length)
  }
  for (let i = 0; i < bindings; i++) {
    const { allocation, offset, size } = ranges[i] as BufferRange
    if (size > largest || offset % 256 !== 0 || offset + size > allocation.size) {
      const expected = `tensors that it can bind: up to ${largest} bytes, from a multiple of 256 on`
      throw refused(program, expected, `${size} bytes from ${offset} on`)
    }
    for (let other = 0; other < i; other++) {
      if (ranges[other]?.allocation !== allocation) continue
      if (access[i] === 'r' && access[other] === 'r') continue
      throw refused(program, 'tensors of their own to write to', `binding ${i} like ${other}`)
    }
  }
  return !isEmpty
}

function refused({ name }: Program, expected: string, got: unknown): KernelError {
  return new KernelError({
    package: '@ao/kernels-webgpu',
    expected: `the kernel ${name} to be given ${expected}`,
    got: String(got),
  })
}
