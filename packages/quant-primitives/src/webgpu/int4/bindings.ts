/** @file What programs bind, and the defines that tell them. */

import { itemSize, type DenseTensor, type Tensor } from '@ao/base-tensor'
import type { GPU, TensorRange } from '@ao/kernels-webgpu'

type Bound = DenseTensor | TensorRange

/** Tensors by the names that WGSL has for them, in the order of their bindings. */
export class Bindings {
  readonly defines: Record<string, number | string | boolean> = {}
  readonly #bound: Bound[] = []

  /** Adds a tensor, or a part of one; `undefined` leaves its define out. */
  add(name: string, tensor: DenseTensor | undefined): this {
    if (!tensor) return this
    const { dtype, shape } = tensor
    this.defines[name] = true
    this.defines[`${name}_BINDING`] = this.#bound.length
    this.defines[`${name}_DTYPE`] = dtype
    this.defines[`${name}_SIZE`] = itemSize(dtype)
    this.defines[`${name}_FOURS`] = (shape.at(-1) ?? 0) % 4 === 0
    this.#bound.push(tensor)
    return this
  }

  /** What to bind, with parts of some tensors in their place. */
  bind(ranges: Readonly<Record<string, TensorRange>>): Bound[] {
    const bound = [...this.#bound]
    for (const [name, range] of Object.entries(ranges)) {
      bound[this.defines[`${name}_BINDING`] as number] = range
    }
    return bound
  }
}

/** Defines of a weight's parts and those that follow. */
export function bindParts(gpu: GPU, parts: Readonly<Record<string, Tensor | undefined>>): Bindings {
  const bindings = new Bindings()
  for (const [name, tensor] of Object.entries(parts)) {
    bindings.add(name, tensor && gpu.dense(tensor))
  }
  return bindings
}

/** Rows of a tensor that one dispatch sees. */
export interface RowRange {
  readonly first: number
  readonly rows: number
}

/**
 * `rows` rows in parts that can be bound.
 *
 * @param rowBytes - bytes of a row in each tensor that is cut
 */
export function rowRanges(gpu: GPU, rows: number, rowBytes: readonly number[]): RowRange[] {
  // Bindings begin at multiples of 256 bytes, and rows of eight lie together.
  let step = 8
  while (rowBytes.some((bytes) => (step * bytes) % 256 !== 0)) step *= 2
  const most = Math.floor(gpu.capabilities.maxBindingSize / Math.max(...rowBytes))
  const count = Math.max(Math.floor(most / step), 1) * step
  const ranges: RowRange[] = []
  for (let first = 0; first < rows; first += count) {
    ranges.push({ first, rows: Math.min(count, rows - first) })
  }
  return ranges
}

/** Rows of `tensor`, of `rowBytes` bytes each. */
export function rangeOf(
  tensor: DenseTensor,
  { first, rows }: RowRange,
  rowBytes: number,
): TensorRange {
  return { tensor, offset: first * rowBytes, size: rows * rowBytes }
}
