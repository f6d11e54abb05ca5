/** @file What a dispatch is given. Types only. */

import type { DenseTensor } from '@ao/base-tensor'

/** Number of workgroups in each dimension. */
export type Workgroups = readonly [x: number, y?: number, z?: number]

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
  /** What the program's storage bindings show, in order. Tensors must be as `GPU.dense` gives them. */
  readonly bind: readonly (DenseTensor | TensorRange)[]
  /** The uniform struct, one after another: u32 unless it says f32. */
  readonly params?: readonly Param[]
  /** Whole numbers up to the GPU's limit. Where one is 0 there is nothing to run. */
  readonly workgroups: Workgroups
}
