/** @file Kernels: how an op runs on the GPU. Tables of variants are those of @ao/base-tensor. */

import { takes } from '@ao/base-tensor'
import type { DenseTensor, KernelVariant, Op, OpKernel, StoredDType, Tensor } from '@ao/base-tensor'
import type { Capabilities } from './capabilities.ts'
import type { DispatchArgs, Workgroups } from './dispatch-args.ts'
import type { Program } from './program.ts'

export type { Counted, DispatchArgs, Param, TensorRange } from './dispatch-args.ts'

/** What kernels may use of a device. */
export interface GPU {
  readonly capabilities: Capabilities
  /** A new tensor of this device, with any content. */
  empty(shape: readonly number[], dtype: StoredDType): DenseTensor
  /** `tensor` as programs can bind it: contiguous, and beginning where a binding may begin. */
  dense(tensor: Tensor): DenseTensor
  /**
   * Records a dispatch.
   *
   * @throws {@link KernelError} for what WebGPU would refuse: workgroups, bindings
   */
  dispatch(program: Program, args: DispatchArgs): void
  /** Runs `run`, then frees what it made, but for its result. */
  scope<T>(run: () => T): T
}

/** One way to run an op on the GPU. */
export type Variant<Args extends readonly unknown[], Result> = KernelVariant<GPU, Args, Result>

/** How one op runs on the GPU. */
export type Kernel = OpKernel<GPU>

/** Kernels that go together, such as those of a format. */
export type KernelSet = readonly Kernel[]

/** The kernel of `op`: its variants, best first. */
/* @__NO_SIDE_EFFECTS__ */
export function kernel<Args extends readonly unknown[], Result>(
  op: Op<Args, Result>,
  variants: readonly Variant<Args, Result>[],
): Kernel {
  takes('o<reference:f>l', op, variants)
  return { op, variants }
}

const MAX_WORKGROUPS = 65535

/**
 * Workgroups for `count` items in a row: programs find their item at
 * `workgroup_id.y * num_workgroups.x + workgroup_id.x`, and have nothing to do from `count` on.
 */
export function grid(count: number): Workgroups {
  takes('n', count)
  if (count <= MAX_WORKGROUPS) return [count]
  const rows = Math.ceil(count / MAX_WORKGROUPS)
  return [Math.ceil(count / rows), rows]
}
