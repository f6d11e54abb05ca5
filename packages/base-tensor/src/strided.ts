/** @file Shapes and strides: pure functions on number arrays, and copies between strided windows. */

import { takes } from './takes.ts'
import type { TypedArray } from './dtype.ts'
import { ShapeError, fail } from './errors.ts'

/** Number of elements of a shape; 1 for a scalar's `[]`. */
export function numelOf(shape: readonly number[]): number {
  takes('s', shape)
  return product(shape)
}

/** {@link numelOf} of sizes that were checked. */
export function product(shape: readonly number[]): number {
  let numel = 1
  for (const size of shape) numel *= size
  return numel
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  takes('s', shape)
  return rowMajor(shape)
}

/** {@link contiguousStrides} of sizes that were checked. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride
    stride *= shape[d] as number
  }
  return strides
}

export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return false
    expected *= shape[d] as number
  }
  return true
}

/**
 * `dim` counted from the front.
 *
 * @throws {@link ShapeError} unless -rank <= dim < rank
 */
export function normalizeDim(dim: number, rank: number): number {
  takes('nn', dim, rank)
  return normalizeIndex(dim, rank, 'a dimension')
}

/**
 * `index` counted from the front.
 *
 * @param what - how a message calls it
 * @throws {@link ShapeError} unless -size <= index < size
 */
export function normalizeIndex(index: number, size: number, what: string = 'an index'): number {
  const isInteger = Number.isInteger(index)
  const normalized = isInteger && index < 0 ? index + size : index
  if (!isInteger || normalized < 0 || normalized >= size) {
    throw fail(
      ShapeError,
      size === 0 ? `${what}, of which there are none` : `${what} in -${size}..${size - 1}`,
      index,
    )
  }
  return normalized
}

/**
 * Where a slice from `start` to `end` of a dimension begins and ends, counted from the front. Ends beyond
 * those of the dimension are allowed, infinite ones too.
 *
 * @throws {@link ShapeError} for fractions and NaN
 */
export function sliceRange(start: number, end: number, size: number): [from: number, to: number] {
  takes('nnn', start, end, size)
  const from = clampIndex(start, size)
  return [from, Math.max(from, clampIndex(end, size))]
}

function clampIndex(index: number, size: number): number {
  if (Number.isNaN(index) || (Number.isFinite(index) && !Number.isInteger(index))) {
    throw fail(ShapeError, 'integer slice ends', index)
  }
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size)
}

/** Resolves one -1 in `shape` against `numel` elements. */
export function resolveShape(shape: readonly number[], numel: number): number[] {
  takes('sn', shape, numel)
  const unknown = shape.indexOf(-1)
  const known = -product(shape) // of the other sizes, where one is -1
  const resolved = unknown < 0 ? [...shape] : shape.with(unknown, known && numel / known)
  if (resolved.some((size) => !Number.isInteger(size) || size < 0) || product(resolved) !== numel) {
    throw fail(ShapeError, `a shape of ${numel} elements`, shape)
  }
  return resolved
}

/**
 * Strides with which `shape` shows the elements of a strided window, or undefined where only a copy
 * can. Dimensions are merged and split as long as memory runs on.
 */
export function viewStrides(
  oldShape: readonly number[],
  oldStrides: readonly number[],
  shape: readonly number[],
): number[] | undefined {
  if (product(shape) === 0) return rowMajor(shape)
  const strides = new Array<number>(shape.length)
  let next = shape.length - 1
  let d = oldShape.length - 1
  while (d >= 0) {
    // One run of memory: old dimensions d down to `first` whose strides follow from each other.
    const runStride = oldStrides[d] as number
    let runSize = oldShape[d] as number
    while (d > 0) {
      const outerSize = oldShape[d - 1] as number
      if (outerSize !== 1 && oldStrides[d - 1] !== runSize * runStride) break
      runSize *= outerSize
      d--
    }
    d--
    let stride = runStride
    let covered = 1
    while (next >= 0 && (covered < runSize || shape[next] === 1)) {
      strides[next] = stride
      stride *= shape[next] as number
      covered *= shape[next] as number
      next--
    }
    if (covered !== runSize) return undefined
  }
  while (next >= 0) strides[next--] = 1
  return strides
}

/** Copies a strided window into another of the same shape. Element types must match. */
export function copyStrided(
  shape: readonly number[],
  from: TypedArray,
  fromOffset: number,
  fromStrides: readonly number[],
  to: TypedArray,
  toOffset: number,
  toStrides: readonly number[],
): void {
  if (isContiguous(shape, fromStrides) && isContiguous(shape, toStrides)) {
    // Slices make overlapping windows safe; `set` on a subarray is a memmove.
    to.set(from.subarray(fromOffset, fromOffset + product(shape)) as never, toOffset)
    return
  }
  copyDim(0, fromOffset, toOffset)

  function copyDim(d: number, a: number, b: number): void {
    const size = d < shape.length ? (shape[d] as number) : 1
    const stepA = fromStrides[d] ?? 0
    const stepB = toStrides[d] ?? 0
    if (d >= shape.length - 1) return copyLine(size, from, a, stepA, to, b, stepB)
    for (let i = 0; i < size; i++) copyDim(d + 1, a + i * stepA, b + i * stepB)
  }
}

function copyLine(
  size: number,
  from: TypedArray,
  fromOffset: number,
  fromStep: number,
  to: TypedArray,
  toOffset: number,
  toStep: number,
): void {
  for (let i = 0; i < size; i++) {
    to[toOffset + i * toStep] = from[fromOffset + i * fromStep] as never
  }
}
