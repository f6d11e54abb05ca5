/** @file What every tensor shares, dense or quantized. Types only. */

import type { StoredDType } from './dtype.ts'
import type { Device } from './device.ts'
import type { AnyOp } from './op.ts'

/**
 * A dense tensor or a tensor subclass.
 *
 * View methods (`slice` ... `squeeze`) return tensors that share storage with this one: writing into
 * one with {@link Tensor.copy_} changes the other. `dtype` of a quantized tensor is that of the
 * weight it stands for.
 */
export interface Tensor {
  readonly shape: readonly number[]
  readonly dtype: StoredDType
  readonly device: Device
  /** Number of dimensions. */
  readonly ndim: number
  /** Number of logical elements. */
  readonly numel: number
  /** Bytes of the stored elements, of all inner tensors for a subclass. */
  readonly nbytes: number

  /** Elements `start` (included) to `end` (excluded) of `dim`; negative values count from the end. */
  slice(dim: number, start?: number, end?: number, step?: number): Tensor
  /** `length` elements of `dim` from `start` on. */
  narrow(dim: number, start: number, length: number): Tensor
  /** One index of `dim`; the dimension goes away. */
  select(dim: number, index: number): Tensor
  transpose(dim0: number, dim1: number): Tensor
  /** The same elements in another shape, without a copy. One entry may be -1. */
  view(shape: readonly number[]): Tensor
  unsqueeze(dim: number): Tensor
  /** Drops `dim` if its size is 1; returns the same shape otherwise. */
  squeeze(dim: number): Tensor

  contiguous(): Tensor
  clone(): Tensor
  /** A tensor of its own that shares this one's storage. There are no gradients to cut. */
  detach(): Tensor
  /** Writes the elements of `source`, of equal shape and kind, into this tensor. */
  copy_(source: Tensor): this
  /** This tensor on `device`; itself when it is there already. */
  to(device: Device): Promise<Tensor>
  toString(): string

  /** Present on tensor subclasses: runs `op` by the class's own table. */
  dispatchOp?(op: AnyOp, args: readonly unknown[]): unknown
}
