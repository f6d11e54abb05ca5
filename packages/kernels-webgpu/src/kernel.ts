/**
 * @file Kernels: how an op runs on the GPU.
 *
 * A kernel is the table of an op's variants, best first. The first one that fits the arguments and the
 * GPU runs; `device.explain` shows which it is, and why.
 */

import { takes } from '@ao/base-tensor'
import type { DenseTensor, Op, StoredDType, Tensor } from '@ao/base-tensor'
import type { Capabilities } from './capabilities.ts'
import type { Workgroups } from './command.ts'
import type { Program } from './program.ts'

/** Part of a contiguous tensor, for weights that are bound in parts. */
export interface TensorRange {
  readonly tensor: DenseTensor
  /** Bytes from the tensor's first element. */
  readonly offset: number
  readonly size: number
}

/** A number that has another value when recorded work is done again. */
export interface Counted {
  readonly counter: { readonly value: number }
  /** What is added to the counter's value. */
  readonly plus: number
}

/** A number in a program's uniform struct. */
export type Param = number | { readonly f32: number } | Counted

/** One dispatch of a program. */
export interface DispatchArgs {
  /** What the program's storage bindings show, in order. Tensors must be as {@link GPU.dense} gives them. */
  readonly bind: readonly (DenseTensor | TensorRange)[]
  /** The uniform struct, one after another: u32 unless it says f32. */
  readonly params?: readonly Param[]
  /** Whole numbers up to the GPU's limit. Where one is 0 there is nothing to run. */
  readonly workgroups: Workgroups
}

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

/** One way to run an op. */
export interface Variant<Args extends readonly unknown[], Result> {
  /** What it is: `gemv, subgroups`. */
  readonly name: string
  /** Whether it can run these arguments; always unless given. */
  readonly fits?: (gpu: GPU, ...args: Args) => boolean
  /** When it is chosen, in the words that `explain` shows: `one row, on GPUs with subgroups`. */
  readonly when: string
  readonly run: (gpu: GPU, ...args: Args) => Result
}

/** How one op runs on the GPU. */
export interface Kernel {
  readonly op: { readonly opName: string }
  readonly variants: readonly Variant<never, unknown>[]
}

/** How one call would run. */
export interface Explanation {
  readonly op: string
  /** Name of the variant that runs. */
  readonly variant: string
  readonly when: string
  /** Better variants that do not fit. */
  readonly refused: readonly { readonly variant: string; readonly when: string }[]
}

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
